"""server.py LOG PORT_FILE: serves the folder site/ on a free port, and notes each request. It is out of order at times:
the first request for cherry.html is answered with 503."""

import http.server
import sys

log_file, port_file = sys.argv[1:]
seen = set()


class Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args):
        super().__init__(*args, directory="site")

    def do_GET(self):
        is_first = self.path not in seen
        seen.add(self.path)
        if self.path == "/cherry.html" and is_first:
            self.send_error(503)
        else:
            super().do_GET()

    def log_request(self, code="-", size="-"):
        with open(log_file, "a") as log:
            print(self.path, int(code), file=log)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(port_file, "w") as file:
    file.write(f"{server.server_port}\n")
server.serve_forever()
