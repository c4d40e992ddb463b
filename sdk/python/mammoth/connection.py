"""HTTP to one pachd: kept connections, one key for all tries of a call, failures as Error."""

from __future__ import annotations

import io
import json as jsons
import random
import re
import secrets
import selectors
import socket
import time
from collections import deque
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import Any, Deque, Dict, Iterator, Mapping, Optional, Tuple
from urllib.parse import urlencode

from .bodies import Body
from .errors import Error, error_of

_TRIES = 5
_FIRST_DELAY = 0.1
_BUFFER = 1 << 18


class Connection:
    def __init__(self, address: str, token: Optional[str], timeout: Optional[float]) -> None:
        self.host, self.port = _parse(address)
        self.at = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        self.timeout = timeout
        self.idle: Deque[HTTPConnection] = deque(maxlen=64)
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def json(self, method: str, path: str, **call: Any) -> Any:
        """Sends a call, as :meth:`open`, and reads its JSON answer; None for an empty one."""
        with self.open(method, path, **call) as answer:
            text = answer.read()
        return jsons.loads(text) if text else None

    def open(
        self,
        method: str,
        path: str,
        *,
        query: Optional[Mapping[str, Any]] = None,
        json: Any = None,
        body: Body = b"",
        headers: Optional[Mapping[str, str]] = None,
        repeatable: bool = True,
    ) -> io.BufferedReader:
        """Sends a call. It is tried five times when it fails for want of a connection or an answer: the
        key makes all tries one."""
        target = f"/api/v1{path}{_encode(query or {})}"
        sent = {**self._headers, **(headers or {})}
        if method != "GET":
            sent["Idempotency-Key"] = secrets.token_hex(16)
        if json is not None:
            sent["Content-Type"] = "application/json"
            body = jsons.dumps(json).encode()
        failures = 0
        while True:
            # A kept connection may turn out dead; a body that cannot be sent twice gets a fresh one.
            http = self._kept() if repeatable else self._fresh()
            try:
                return self._attempt(http, method, target, sent, body)
            except Error as error:
                failures += 1
                if failures == _TRIES or not repeatable or not error.is_passing:
                    raise
            # What else was kept is as old as this one: a daemon that was started anew knows none of them.
            self.close()
            time.sleep(_FIRST_DELAY * 2 ** (failures - 1) * random.uniform(0.5, 1))

    def close(self) -> None:
        while self.idle:
            self.idle.pop().close()

    @contextmanager
    def wire(self) -> Iterator[None]:
        """Says what the failures of a socket mean."""
        try:
            yield
        except socket.timeout as error:
            message = f"pachd at {self.at} was silent for {self.timeout} s. Give a longer timeout"
            raise Error("deadline_exceeded", message) from error
        except (ConnectionResetError, BrokenPipeError, IncompleteRead) as error:
            raise self.lost() from error
        except (OSError, HTTPException) as error:
            remedy = 'Start it with "pachd", or set ADDRESS=host:port'
            message = f"Cannot reach pachd at {self.at}: {error}. {remedy}"
            raise Error("unavailable", message) from error

    def lost(self) -> Error:
        message = f"Lost the connection to pachd at {self.at} before its answer was complete"
        return Error("unavailable", f"{message}. Check that pachd runs, then repeat the call")

    def _kept(self) -> HTTPConnection:
        try:
            return self.idle.pop()
        except IndexError:
            return self._fresh()

    def _fresh(self) -> HTTPConnection:
        return HTTPConnection(self.host, self.port, timeout=self.timeout)

    def _attempt(
        self, http: HTTPConnection, method: str, target: str, headers: Dict[str, str], body: Body
    ) -> io.BufferedReader:
        try:
            with self.wire():
                http.putrequest(method, target, skip_accept_encoding=True)
                for name, value in headers.items():
                    http.putheader(name, value)
            if callable(body):
                self._send(http, body)
            else:
                with self.wire():
                    http.putheader("Content-Length", str(len(body)))
                    http.endheaders(body)
            with self.wire():
                response = http.getresponse()
        except BaseException:
            http.close()
            raise
        answer: io.BufferedReader = io.BufferedReader(_Content(self, http, response), _BUFFER)
        if response.status < 400:
            return answer
        with answer:
            text = answer.read().decode("utf-8", "replace")
        try:
            raise error_of(response.status, jsons.loads(text))
        except ValueError:
            raise error_of(response.status, text) from None

    def _send(self, http: HTTPConnection, body: Any) -> None:
        """Sends a body of unknown length, until pachd has answered: it may refuse before the end."""
        with self.wire():
            http.putheader("Transfer-Encoding", "chunked")
            http.endheaders()

        with selectors.DefaultSelector() as selector:
            selector.register(http.sock, selectors.EVENT_READ)

            def send(piece: bytes) -> None:
                if selector.select(0):
                    raise _Answered
                if piece:
                    write(b"%x\r\n%b\r\n" % (len(piece), piece))

            def write(piece: bytes) -> None:
                try:
                    http.send(piece)
                except OSError as error:
                    # What was answered before the connection closed says more.
                    raise _Answered from error

            try:
                body(send)
                write(b"0\r\n\r\n")
            except _Answered:
                pass


class _Answered(BaseException):
    """There is an answer, or no connection any more: nothing more has to be sent."""


class _Content(io.RawIOBase):
    """The bytes of an answer. Its connection is kept for the next call when they were read to the end."""

    def __init__(self, connection: Connection, http: HTTPConnection, response: HTTPResponse) -> None:
        self._connection = connection
        self._http = http
        self._response = response
        self._is_whole = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        response = self._response
        with self._connection.wire():
            if response.chunked:
                # readinto() would wait until the buffer is full, and logs come as they are written.
                piece = response.read1(len(buffer))
                buffer[: len(piece)] = piece
                return len(piece)
            count = response.readinto(buffer)
        if count == 0 and response.length:
            self._is_whole = False
            raise self._connection.lost()
        return count

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self.read(_BUFFER) or b"", b""))

    def close(self) -> None:
        if not self.closed:
            if self._is_whole and self._response.isclosed():
                self._connection.idle.append(self._http)
            else:
                self._response.close()
                self._http.close()
        super().close()


def _parse(address: str) -> Tuple[str, int]:
    bare = re.sub(r"^http://|/$", "", address)
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s:/\[\]@?#]+))(?::(\d{1,5}))?", bare)
    if match and 1 <= int(match[3] or 30650) <= 65535:
        return match[1] or match[2], int(match[3] or 30650)
    raise ValueError(f'Cannot use address "{address}". Set ADDRESS=host:port, such as 127.0.0.1:30650')


def _encode(query: Mapping[str, Any]) -> str:
    """Values that are None, False or empty are left out; lists repeat the name."""
    given = {
        name: "true" if value is True else value
        for name, value in query.items()
        if value is not None and value is not False and value != ()
    }
    return "?" + urlencode(given, doseq=True) if given else ""
