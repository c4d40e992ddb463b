"""describe.py DESCRIPTOR: prints it, with programs in place of their names: "{{chess.py server.py}}" is both, one after
the other."""

import json
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))


def filled(word):
    if not word.startswith("{{"):
        return word
    return "\n".join(open(os.path.join(here, name)).read() for name in word[2:-2].split())


job = json.load(open(sys.argv[1]))
job["command"] = [filled(word) for word in job["command"]]
print(json.dumps(job))
