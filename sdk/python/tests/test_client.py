"""The client against a real pachd, the one that ADDRESS names."""

import io
import os
import secrets
import socket
import tempfile
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import mammoth


def new_name(prefix):
    return f"{prefix}_{secrets.token_hex(4)}"


class LosesAnswers:
    """A proxy that lets requests through, and cuts the first connections before their answer."""

    def __init__(self, target, cuts):
        self.target = target
        self.cuts = cuts
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            host, port = self.target.split(":")
            daemon = socket.create_connection((host, int(port)))
            threading.Thread(target=self.join, args=(client, daemon), daemon=True).start()

    def join(self, client, daemon):
        with client, daemon:
            there = threading.Thread(target=self.pump, args=(client, daemon), daemon=True)
            there.start()
            if self.cuts > 0:
                self.cuts -= 1
                daemon.recv(1)
                client.shutdown(socket.SHUT_RDWR)
            else:
                self.pump(daemon, client)
            there.join()

    def pump(self, source, sink):
        try:
            while piece := source.recv(65536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class DaemonTest(unittest.TestCase):
    def setUp(self):
        if not os.environ.get("ADDRESS"):
            self.skipTest("ADDRESS names no pachd")
        self.client = mammoth.Client()
        self.addCleanup(self.client.close)
        self.repo = new_name("python")
        self.client.create_repo(self.repo)
        self.master = f"{self.repo}/master"

    def fails(self, code):
        case = self

        class Expectation:
            def __enter__(self):
                return self

            def __exit__(self, kind, error, trace):
                case.assertIsInstance(error, mammoth.Error)
                case.assertEqual(error.code, code)
                self.error = error
                return True

        return Expectation()


class Repos(DaemonTest):
    def test_create_inspect_list_delete(self):
        made = new_name("made")
        info = self.client.create_repo(made, provenance=[self.repo])
        self.assertEqual(info.provenance, (self.repo,))
        self.assertLess(abs(datetime.now(timezone.utc) - info.created), timedelta(minutes=1))
        self.assertEqual(self.client.inspect_repo(made), info)
        self.assertIn(made, [repo.name for repo in self.client.list_repos()])
        self.assertEqual([repo.name for repo in self.client.list_repos([self.repo])], [made])
        with self.fails("already_exists"):
            self.client.create_repo(made)
        with self.fails("failed_precondition"):
            self.client.delete_repo(self.repo)
        self.client.delete_repo(self.repo, force=True)
        with self.fails("not_found") as missing:
            self.client.inspect_repo(self.repo)
        self.assertIn(self.repo, missing.error.message)
        self.client.delete_repo(made)

    def test_version(self):
        self.assertRegex(self.client.version(), r"^\d+\.\d+")


class Commits(DaemonTest):
    def test_start_finish_inspect_list(self):
        open_one = self.client.start_commit(self.master)
        self.assertEqual((open_one.id, open_one.state), ("master/0", "open"))
        finished = self.client.finish_commit(open_one)
        self.assertEqual(finished.state, "finished")
        self.assertEqual(self.client.inspect_commit(self.master), finished)
        self.assertEqual(self.client.inspect_commit(str(finished)), finished)
        second = self.client.commit_file(self.master, "a", b"1")
        self.assertEqual(second.parent, "master/0")
        self.assertEqual(self.client.list_commits(self.repo), [finished, second])
        self.assertEqual(self.client.list_commits(self.repo, exclude=[finished]), [second])
        self.assertEqual(self.client.list_branches(self.repo), ["master"])

    def test_cancel(self):
        commit = self.client.start_commit(self.master)
        self.assertEqual(self.client.cancel_commit(commit).state, "cancelled")
        self.assertEqual(self.client.list_commits(self.repo), [])
        self.assertEqual(len(self.client.list_commits(self.repo, status="ALL")), 1)

    def test_commit_block_finishes_or_cancels(self):
        with self.client.commit(self.master) as commit:
            self.client.put_file(commit, "a", b"1")
        self.assertEqual(self.client.inspect_commit(commit).state, "finished")
        with self.assertRaises(ZeroDivisionError):
            with self.client.commit(self.master) as commit:
                self.client.put_file(commit, "a", b"2")
                raise ZeroDivisionError
        self.assertEqual(self.client.inspect_commit(commit).state, "cancelled")
        self.assertEqual(self.client.get_file(self.master + "/0", "a").read(), b"1")

    def test_finish_waits_for_the_parent(self):
        parent = self.client.start_commit(self.master)
        child = self.client.start_commit(self.master)
        with self.fails("deadline_exceeded"):
            self.client.finish_commit(child, timeout=0.2)
        later = threading.Timer(0.2, lambda: self.client.finish_commit(parent))
        later.start()
        self.assertEqual(self.client.finish_commit(child, timeout=30).state, "finished")
        later.join()

    def test_names_that_are_none(self):
        for name in ("data", "data/", "/master"):
            with self.assertRaises(ValueError):
                self.client.inspect_commit(name)


class Files(DaemonTest):
    def test_put_appends_and_overwrites(self):
        with self.client.commit(self.master) as commit:
            self.assertEqual(self.client.put_file(commit, "dir/a", b"one\n"), 4)
            self.client.put_file(commit, "dir/a", bytearray(b"two\n"))
            self.client.put_file(commit, "b", b"old")
            self.client.put_file(commit, "b", b"new", overwrite=True)
            self.client.put_file(commit, "gone", b"x")
            self.client.delete_file(commit, "gone")
            self.client.put_file(commit, "empty", b"")
        self.assertEqual(self.client.get_file(commit, "dir/a").read(), b"one\ntwo\n")
        self.assertEqual(self.client.get_file(commit, "b").read(), b"new")
        self.assertEqual(self.client.get_file(commit, "empty").read(), b"")
        self.assertEqual([f.path for f in self.client.list_files(commit)], ["b", "dir", "empty"])
        info = self.client.inspect_file(commit, "dir")
        self.assertEqual((info.type, info.size_bytes, info.children), ("dir", 8, ("a",)))
        self.assertEqual(str(info.commit_modified), str(commit))
        with self.fails("failed_precondition"):
            self.client.put_file(commit, "late", b"x")
        with self.fails("not_found"):
            self.client.get_file(commit, "gone")

    def test_large_files_stream(self):
        data = os.urandom(3_000_000)
        with tempfile.TemporaryFile() as file:
            file.write(b"skipped" + data)
            file.seek(7)
            commit = self.client.commit_file(self.master, "large", file)
        self.assertEqual(commit.size_bytes, len(data))
        with self.client.get_file(commit, "large") as content:
            self.assertEqual(content.read(10), data[:10])
            self.assertEqual(b"".join(iter(lambda: content.read(100_000), b"")), data[10:])
        # Read in part: the connection is given up, and the next call works.
        with self.client.get_file(commit, "large") as content:
            self.assertEqual(content.read(5), data[:5])
        self.assertEqual(self.client.get_file(commit, "large", 2_999_990).read(), data[-10:])
        self.assertEqual(self.client.get_file(commit, "large", 5, 20).read(), data[5:25])
        with self.fails("out_of_range"):
            self.client.get_file(commit, "large", len(data))

    def test_a_pipe_is_sent_once(self):
        class Pipe(io.RawIOBase):
            pieces = [b"a" * 10, b"b" * 10]

            def readable(self):
                return True

            def read(self, size=-1):
                return self.pieces.pop(0) if self.pieces else b""

        commit = self.client.commit_file(self.master, "piped", Pipe())
        self.assertEqual(self.client.get_file(commit, "piped").read(), b"a" * 10 + b"b" * 10)

    def test_what_is_no_data(self):
        commit = self.client.start_commit(self.master)
        for data in ("text", io.StringIO("text"), 5):
            with self.assertRaises(TypeError):
                self.client.put_file(commit, "a", data)

    def test_folders(self):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(f"{folder}/deep/er")
            long_name = "n" * 150
            files = {"a": b"1", "deep/er/b": b"2" * 600_000, f"deep/{long_name}": b"", "deep/ü #?%+": b"4"}
            for path, data in files.items():
                with open(f"{folder}/{path}", "wb") as file:
                    file.write(data)
            commit = self.client.commit_folder(self.master, folder)
            with self.client.commit(self.master) as second:
                self.assertEqual(self.client.put_folder(second, folder, "below/here"), 4)
            os.symlink("nowhere", f"{folder}/link")
            with self.fails("invalid_argument"):
                self.client.commit_folder(self.master, folder)
        for path, data in files.items():
            self.assertEqual(self.client.get_file(commit, path).read(), data)
            self.assertEqual(self.client.get_file(second, f"below/here/{path}").read(), data)
        found = [f.path for f in self.client.list_files(commit, recurse=True) if f.type == "file"]
        self.assertEqual(sorted(found), sorted(files))

    def test_lists_and_differences_page_by_page(self):
        with tempfile.TemporaryDirectory() as folder:
            for i in range(1_100):
                open(f"{folder}/{i:04}", "w").close()
            first = self.client.commit_folder(self.master, folder)
        second = self.client.commit_file(self.master, "0001", b"x")
        self.assertEqual(len(list(self.client.list_files(first))), 1_100)
        (changed,) = self.client.diff_files(first, second)
        self.assertEqual(changed.path, "0001")
        self.assertEqual((changed.before.size_bytes, changed.after.size_bytes), (0, 1))
        empty = self.client.finish_commit(self.client.start_commit(f"{self.repo}/other"))
        added = list(self.client.diff_files(empty, second))
        self.assertEqual((len(added), added[0].before), (1_100, None))
        with self.assertRaises(ValueError):
            self.client.diff_files(first, "another/master")

    def test_paths_are_cleaned(self):
        commit = self.client.commit_file(self.master, "/a//b/./c", b"1")
        self.assertEqual(self.client.get_file(commit, "a/b/c").read(), b"1")


class Connections(DaemonTest):
    def test_a_lost_answer_is_asked_for_again_and_nothing_is_done_twice(self):
        for cuts in range(3):
            with LosesAnswers(os.environ["ADDRESS"], cuts) as proxy:
                with mammoth.Client(proxy.address) as client, client.commit(self.master) as commit:
                    client.put_file(commit, "a", io.BytesIO(b"1\n"))
            self.assertEqual(self.client.inspect_commit(self.master).id, f"master/{cuts}")
        self.assertEqual(self.client.get_file(self.master, "a").read(), b"1\n" * 3)

    def test_connections_that_were_kept_too_long_are_replaced(self):
        commit = self.client.commit_file(self.master, "a", b"1")
        contents = [self.client.get_file(commit, "a") for _ in range(8)]
        for content in contents:
            with content:
                self.assertEqual(content.read(), b"1")
        kept = self.client._http.idle
        self.assertEqual(len(kept), 8)
        for http in kept:
            http.sock.shutdown(socket.SHUT_RDWR)
        self.assertEqual(self.client.get_file(commit, "a").read(), b"1")

    def test_threads_share_a_client(self):
        with self.client.commit(self.master) as commit, ThreadPoolExecutor(8) as threads:
            put = lambda i: self.client.put_file(commit, str(i), io.BytesIO(b"%d" % i))
            list(threads.map(put, range(40)))
        found = {f.path: f.size_bytes for f in self.client.list_files(commit)}
        self.assertEqual(found, {str(i): len(str(i)) for i in range(40)})

    def test_a_stream_is_not_sent_again(self):
        read, write = os.pipe()
        os.write(write, b"1")
        os.close(write)
        with LosesAnswers(os.environ["ADDRESS"], 1) as proxy, open(read, "rb") as pipe:
            with mammoth.Client(proxy.address) as client, self.fails("unavailable"):
                client.commit_file(self.master, "a", pipe)
        self.assertEqual(len(self.client.list_commits(self.repo)), 1)

    def test_a_refusal_in_the_middle_of_a_body_is_its_answer(self):
        class Endless(io.RawIOBase):
            def read(self, size=-1):
                return bytes(1 << 20)

        with self.fails("not_found"):
            self.client.commit_file("no_such_repo/master", "a", Endless())

    def test_nobody_there(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = "127.0.0.1:%d" % listener.getsockname()[1]
        with mammoth.Client(address) as client, self.fails("unavailable") as refused:
            client.list_repos()
        self.assertIn(address, refused.error.message)

    def test_silence_ends_with_the_timeout(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = "127.0.0.1:%d" % listener.getsockname()[1]
            with mammoth.Client(address, timeout=0.1) as client, self.fails("deadline_exceeded"):
                client.list_repos()

    def test_addresses(self):
        for address in ("a b", "host:0", "host:99999", "user@host", "host/path"):
            with self.assertRaises(ValueError, msg=address):
                mammoth.Client(address)
        self.assertEqual(mammoth.Client("http://[::1]:7/")._http.at, "[::1]:7")
        self.assertEqual(mammoth.Client("host")._http.at, "host:30650")

    @unittest.skipUnless(os.environ.get("PACH_TOKEN_FILE"), "the daemon asks for no token")
    def test_token(self):
        with mammoth.Client(token="wrong") as client, self.fails("unauthenticated"):
            client.list_repos()


class Pipelines(DaemonTest):
    def test_pipelines_jobs_and_logs(self):
        name = new_name("upper")
        spec = {
            "pipeline": {"name": name},
            "transform": {"cmd": ["sh"], "stdin": [f"cat /pfs/{self.repo}/a | tee /pfs/out/copy"]},
            "inputs": [{"repo": {"name": self.repo}, "method": "global"}],
        }
        created = self.client.create_pipeline(spec)
        self.assertEqual((created.name, created.output_repo), (name, name))
        self.assertEqual([each.repo for each in created.inputs], [self.repo])
        commit = self.client.commit_file(self.master, "a", b"hello\n")
        made = self.client.flush_commits(commit, timeout=60)
        self.assertEqual([each.repo for each in made], [self.repo, name])
        self.assertEqual(made[1].provenance, (mammoth.CommitName(self.repo, "master/0"),))
        self.assertEqual(self.client.get_file(made[1], "copy").read(), b"hello\n")
        (job,) = self.client.list_jobs(inputs=[commit])
        self.assertEqual(self.client.list_jobs(name), [job])
        job = self.client.wait_job(job.id, timeout=60)
        self.assertEqual((job.state, str(job.output_commit)), ("success", str(made[1])))
        self.assertEqual(len(self.client.inspect_job(job.id).tasks), 1)
        for follow in (False, True):
            with self.client.get_logs(job.id, follow) as logs:
                self.assertEqual(list(logs), ["0 | hello\n"])
        self.assertEqual(self.client.inspect_pipeline(name).job_counts, {"success": 1})
        self.assertIn(name, [each.name for each in self.client.list_pipelines()])
        self.client.delete_pipeline(name)
        with self.fails("not_found"):
            self.client.inspect_pipeline(name)
        with self.fails("invalid_argument") as wrong:
            self.client.create_pipeline({**spec, "transforn": {}})
        self.assertIn("transforn", wrong.error.message)

    def test_waiting_ends_with_the_timeout(self):
        spec = {
            "pipeline": {"name": new_name("slow")},
            "transform": {"cmd": ["sh"], "stdin": ["echo begun", "sleep 2"]},
            "inputs": [{"repo": {"name": self.repo}}],
        }
        self.client.create_pipeline(spec)
        commit = self.client.commit_file(self.master, "a", b"1\n")
        with self.fails("deadline_exceeded"):
            self.client.flush_commits(commit, timeout=0.1)
        (job,) = self.client.list_jobs(spec["pipeline"]["name"])
        with self.fails("deadline_exceeded"):
            self.client.wait_job(job.id, timeout=0.1)
        with self.client.get_logs(job.id, follow=True) as logs:
            self.assertEqual(next(logs).rstrip()[-5:], "begun")
            self.assertEqual(self.client.inspect_job(job.id).state, "running")
        self.assertEqual(self.client.wait_job(job.id, timeout=60).state, "success")


if __name__ == "__main__":
    unittest.main()
