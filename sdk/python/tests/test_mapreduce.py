"""Programs of a MapReduceJob: what they read and write."""

import io
import json
import subprocess
import sys
import unittest
from pathlib import Path

from mammoth import mapreduce
from mammoth.mapreduce_places import S3Settings, signed

FOLDER = Path(__file__).parent.parent
VECTORS = json.loads((FOLDER.parent / "vectors" / "mapreduce.json").read_text())


def groups_of(text):
    return [(key, list(values)) for key, values in mapreduce.groups(io.BytesIO(text))]


class Records(unittest.TestCase):
    def test_fields_are_those_of_the_other_libraries(self):
        for vector in VECTORS["fields"]:
            plain, encoded = bytes.fromhex(vector["plain"]), bytes.fromhex(vector["encoded"])
            self.assertEqual(mapreduce.encode(plain), encoded)
            self.assertEqual(mapreduce.decode(encoded), plain)

    def test_groups_have_the_values_of_one_key(self):
        self.assertEqual(
            groups_of(b"a\t1\na\t2\nb\nc\t\t\n\t5"),
            [(b"a", [b"1", b"2"]), (b"b", [b""]), (b"c", [b"\t"]), (b"", [b"5"])],
        )

    def test_groups_pass_over_what_is_not_read(self):
        keys = [key for key, _ in mapreduce.groups(io.BytesIO(b"a\t1\na\t2\nb\t3\n"))]
        self.assertEqual(keys, [b"a", b"b"])

    def test_what_was_emitted_comes_back(self):
        out = io.BytesIO()
        emit = mapreduce.writer(out.write, is_last=False)
        every = bytes(range(256))
        emit(every, every)
        emit("é", 5)
        self.assertEqual(groups_of(out.getvalue()), [(every, [every]), ("é".encode(), [b"5"])])

    def test_the_last_stage_is_written_as_it_is(self):
        out = io.BytesIO()
        emit = mapreduce.writer(out.write, is_last=True)
        emit(b"a\tb", 1.5)
        emit("c")
        self.assertEqual(out.getvalue(), b"a\tb\t1.5\nc\n")


class Run(unittest.TestCase):
    def run_program(self, program, stage, stdin=b""):
        env = {"PYTHONPATH": str(FOLDER), "PACH_STAGE": stage, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", "from mammoth import mapreduce\n" + program]
        return subprocess.run(command, input=stdin, env=env, capture_output=True)

    def test_what_is_printed_goes_to_the_log(self):
        program = "def m(x, emit):\n  print('said')\n  emit(x, 1)\nmapreduce.run(m)"
        ran = self.run_program(program, "mapper", b"s3://a/b\n")
        self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, b"s3://a/b\t1\n", b"said\n"))

    def test_what_is_raised_fails_with_its_trace(self):
        ran = self.run_program("def m(x, emit):\n  raise ValueError(x)\nmapreduce.run(m)", "mapper", b"no")
        self.assertEqual((ran.returncode, ran.stdout), (1, b""))
        self.assertTrue(ran.stderr.endswith(b"ValueError: no\n"), ran.stderr)

    def test_alone_it_says_who_runs_it(self):
        ran = self.run_program("mapreduce.run(None)", "")
        self.assertIn(b"run by a MapReduceJob", ran.stderr)
        self.assertEqual(ran.returncode, 1)


class Signatures(unittest.TestCase):
    def test_requests_are_signed_as_amazon_says(self):
        signer = VECTORS["signer"]
        settings = S3Settings("", signer["region"], signer["key"], signer["secret"])
        for vector in VECTORS["signatures"]:
            headers = signed(settings, vector["method"], vector["url"], b"", signer["time"])
            self.assertTrue(headers["Authorization"].endswith(f"Signature={vector['signature']}"))
