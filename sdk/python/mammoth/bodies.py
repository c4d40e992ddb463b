"""What is sent as the body of a put: a function that hands bytes on, so that memory holds one slice."""

from __future__ import annotations

import os
import tarfile
from typing import BinaryIO, Callable, Iterator, Tuple, Union

from .errors import Error

Send = Callable[[bytes], None]
Body = Union[bytes, Callable[[Send], None]]
Path = Union[str, "os.PathLike[str]"]

_SLICE = 1 << 20


def body_of(data: Union[bytes, bytearray, memoryview, BinaryIO]) -> Tuple[Body, bool]:
    """Bytes or an open binary file as a body, and whether it can be sent a second time."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data), True
    if not hasattr(data, "read"):
        raise TypeError(f"Cannot put {type(data).__name__}: give bytes or a file opened as binary")
    repeatable = data.seekable() if hasattr(data, "seekable") else False
    start = data.tell() if repeatable else 0

    def send_file(send: Send) -> None:
        if repeatable:
            data.seek(start)
        for piece in iter(lambda: data.read(_SLICE), b""):
            if isinstance(piece, str):
                raise TypeError("Cannot put text: open the file as binary")
            send(piece)

    return send_file, repeatable


def tar_of(folder: Path) -> Body:
    """All files below a folder as a tar, made while it is sent."""

    def send_tar(send: Send) -> None:
        for path, name in _files_below(os.fspath(folder)):
            with open(path, "rb") as file:
                header = tarfile.TarInfo(name)
                header.size = os.fstat(file.fileno()).st_size
                send(header.tobuf(tarfile.PAX_FORMAT))
                _send_exactly(file, header.size, send)
            send(b"\0" * (-header.size % tarfile.BLOCKSIZE))
        send(b"\0" * (2 * tarfile.BLOCKSIZE))

    return send_tar


def _files_below(folder: str, below: str = "") -> Iterator[Tuple[str, str]]:
    """Local paths and names, in order. Links to files count as files; nothing is left out silently."""
    with os.scandir(folder) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    for entry in entries:
        name = below + entry.name
        if entry.is_file():
            yield entry.path, name
        elif entry.is_dir(follow_symlinks=False):
            yield from _files_below(entry.path, name + "/")
        else:
            raise Error(
                "invalid_argument",
                f"Cannot put {entry.path}: it is neither a file nor a directory. Move it away",
            )


def _send_exactly(file: BinaryIO, size: int, send: Send) -> None:
    left = size
    while left > 0:
        piece = file.read(min(left, _SLICE))
        if not piece:
            raise Error(
                "aborted",
                f"Cannot read {file.name}: it became shorter while it was read. Repeat the call",
            )
        send(piece)
        left -= len(piece)
