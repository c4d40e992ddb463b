"""The program in the README runs, and prints what the README says."""

import contextlib
import io
import os
import re
import unittest
from pathlib import Path


class Readme(unittest.TestCase):
    @unittest.skipUnless(os.environ.get("ADDRESS"), "ADDRESS names no pachd")
    def test_its_program_prints_what_it_says(self):
        text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
        (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        (expected,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(program, "README.md", "exec"), {})
        self.assertEqual(printed.getvalue(), expected)
