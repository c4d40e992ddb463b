/**
 * A web server for Python that counts words: of a file on `/map`, of such counts on `/reduce`. Prints the name of
 * each file that it is sent; one that says `poison` it refuses, one that says `slowly` it keeps for a second.
 */
export const wordServer = `
import collections, http.server, os, socketserver, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        os.write(1, (self.path + " " + self.headers["X-File"] + "\\n").encode())
        if b"poison" in body:
            return self.answer(422, b"that is poison\\n")
        if b"slowly" in body:
            time.sleep(1)
        counts = collections.Counter()
        if self.path == "/map":
            counts.update(body.split())
        elif self.path == "/reduce":
            for line in body.splitlines():
                count, word = line.split()
                counts[word] += int(count)
        else:
            return self.answer(404, b"")
        self.answer(200, b"".join(b"%7d %s\\n" % (counts[word], word) for word in sorted(counts)))
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128
Server(("", int(os.environ["PORT"])), Handler).serve_forever()
`;
