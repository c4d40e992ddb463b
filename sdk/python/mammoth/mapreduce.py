"""Programs of a MapReduceJob: a function that maps an input, and one that reduces the values of a key.

.. code-block:: python

    from mammoth import mapreduce

    def map(input, emit):
        with mapreduce.open(input) as file:
            for line in file:
                for word in line.split():
                    emit(word, 1)

    def reduce(key, values, emit):
        emit(key, sum(int(value) for value in values))

    if __name__ == "__main__":
        mapreduce.run(map, reduce)
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from typing import BinaryIO, Callable, Dict, Iterator, Optional, Tuple, Union

try:
    from .mapreduce_places import Content, Places, Settings
except ImportError:  # Both files were shipped beside a program.
    from mapreduce_places import Content, Places, Settings  # type: ignore[no-redef]

__all__ = ["args", "count", "open", "put", "run", "secret", "task_id"]

Emit = Callable[..., None]
Map = Callable[[str, Emit], None]
Reduce = Callable[[bytes, Iterator[bytes], Emit], None]

_settings = Settings(os.environ)
_BUFFER = 1 << 16


def run(map: Map, reduce: Optional[Reduce] = None, combine: Optional[Reduce] = None) -> None:
    """Does what the worker of the job wants done: map, combine or reduce. What a function raises is the
    failure of the attempt, with the trace in its log.

    ``emit(key, value)`` hands on a record: bytes, text or a number. Between stages any bytes come through; what
    ``reduce`` emits is written as it is, ``KEY TAB VALUE``. ``values`` are bytes, read as they are asked for.

    :param reduce: not needed with ``partitions: 0``
    :param combine: with ``combine: true``; default: ``reduce``
    """
    stage = _settings.find("PACH_STAGE")
    is_last = stage == "reducer" or _settings.find("PACH_PARTITIONS") == "0"
    with os.fdopen(os.dup(1), "wb", _BUFFER) as out:
        # Standard output is for records: what is printed goes to the log.
        os.dup2(2, 1)
        emit = writer(out.write, is_last)
        if stage == "mapper":
            text = sys.stdin.buffer.read()
            map((text[:-1] if text.endswith(b"\n") else text).decode(), emit)
        elif stage == "combiner":
            _reduce_all(combine or reduce, "combine", emit)
        elif stage == "reducer":
            _reduce_all(reduce, "reduce", emit)
        else:
            raise RuntimeError(
                "This program is run by a MapReduceJob: PACH_STAGE does not say what to do"
            )


def _reduce_all(reduce: Optional[Reduce], name: str, emit: Emit) -> None:
    if reduce is None:
        raise RuntimeError(f"This program has no function {name}")
    for key, values in groups(sys.stdin.buffer):
        reduce(key, values, emit)


def open(uri: str) -> io.BufferedReader:
    """Opens a file at ``s3://``, ``http://``, ``https://`` or ``pfs://``; what breaks off raises."""
    return Places(_settings).open(uri)


def put(key: str, content: Content) -> str:
    """Stores a file, replacing what is there, and gives back its address: at an address, or by a name in the
    bucket of the job (``KUBEMR_S3_BUCKET_NAME``) or on branch ``puts`` of its output repo. It is there at once,
    also if the attempt fails afterwards: names should depend on the input or the task, so that the next attempt
    stores the same.

    :param content: bytes, text, a binary file, or an iterable of bytes
    """
    return Places(_settings).put(key, content)


def args() -> Dict[str, str]:
    """``jobargs`` of the document."""
    return json.loads(_settings.find("PACH_JOB_ARGS") or "{}")


def secret(name: str) -> Optional[bytes]:
    """A value of the secret that ``usersecretname`` names."""
    return _settings.secret(name)


def count(group: str, name: str, amount: int = 1) -> None:
    """Adds to a counter of the run."""
    sys.stderr.write(f"reporter:counter:{group},{name},{amount}\n")
    sys.stderr.flush()


def task_id() -> int:
    """Number of the map task, or of the partition."""
    return int(_settings.find("PACH_PARTITION") or 0)


Field = Union[bytes, bytearray, memoryview, str, int, float]

# Tab and newline end fields and lines, so in a field they become two bytes, and so does what marks them.
# Chosen so that fields sort as they did before: this one is less than both, all others stay where they were.
_ESCAPE = 8
_SPECIAL = re.compile(rb"[\x08\t\n]")
_ESCAPED = re.compile(rb"\x08(.)", re.DOTALL)


def encode(field: bytes) -> bytes:
    """A field of a record between stages."""
    if _SPECIAL.search(field) is None:
        return field
    return _SPECIAL.sub(lambda found: bytes([_ESCAPE, found[0][0] - _ESCAPE + 1]), field)


def decode(field: bytes) -> bytes:
    """What :func:`encode` was given."""
    if _ESCAPE not in field:
        return field
    return _ESCAPED.sub(lambda found: bytes([found[1][0] + _ESCAPE - 1]), field)


def writer(write: Callable[[bytes], object], is_last: bool) -> Callable[..., None]:
    """A function that writes records: in the last stage as they are."""

    def bytes_of(field: Field) -> bytes:
        if isinstance(field, (bytes, bytearray, memoryview)):
            plain = bytes(field)
        else:
            plain = str(field).encode()
        return plain if is_last else encode(plain)

    def emit(key: Field, value: Optional[Field] = None) -> None:
        if value is None:
            write(bytes_of(key) + b"\n")
        else:
            write(bytes_of(key) + b"\t" + bytes_of(value) + b"\n")

    return emit


def groups(source: BinaryIO) -> Iterator[Tuple[bytes, Iterator[bytes]]]:
    """Sorted records, those of equal keys together. What is not read of the values of one is passed over."""
    records = map(_record, source)
    coming = next(records, None)

    def values_of(key: bytes) -> Iterator[bytes]:
        nonlocal coming
        while coming is not None and coming[0] == key:
            value = decode(coming[1])
            coming = next(records, None)
            yield value

    while coming is not None:
        key = coming[0]
        yield decode(key), values_of(key)
        while coming is not None and coming[0] == key:
            coming = next(records, None)


def _record(line: bytes) -> Tuple[bytes, bytes]:
    key, _, value = (line[:-1] if line.endswith(b"\n") else line).partition(b"\t")
    return key, value
