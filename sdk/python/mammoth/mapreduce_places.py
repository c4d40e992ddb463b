"""Files that map and reduce functions read and write: ``s3://``, ``http://``, ``https://`` and ``pfs://``."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import os
import re
import secrets
from datetime import datetime, timezone
from http.client import HTTPResponse
from typing import Any, BinaryIO, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional
from typing import Tuple, Union
from urllib.error import HTTPError
from urllib.parse import parse_qs, quote, unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

Content = Union[bytes, str, BinaryIO, Iterable[bytes]]

_SLICE = 1 << 18
_PFS = re.compile(r"pfs://([^/]+)/([^/]+?)(?:/(\d+))?/(.+)", re.DOTALL)
_S3 = re.compile(r"s3://([^/?]+)/(.+?)(?:\?((?:endpoint|region)=.*))?", re.DOTALL)
_HTTP = re.compile(r"https?://.*", re.IGNORECASE | re.DOTALL)


class Places:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, uri: str) -> io.BufferedReader:
        """Opens a file; what breaks off raises."""
        s3 = _S3.fullmatch(uri)
        if s3 is not None:
            return buffered(self._s3(s3).get(s3[1], s3[2]), uri)
        pfs = _PFS.fullmatch(uri)
        if pfs is not None:
            commit = pfs[2] if pfs[3] is None else f"{pfs[2]}/{pfs[3]}"
            return buffered(self._pfs("GET", f"{pfs[1]}/commits/{quote(commit, safe='')}", pfs[4]), uri)
        if _HTTP.fullmatch(uri) is None:
            raise _unknown("open", uri)
        return buffered(_ask("GET", uri), uri)

    def put(self, key: str, content: Content) -> str:
        """Stores a file in the place of what is there, and gives back where."""
        uri = key if re.match(r"[a-z][a-z0-9]*://", key, re.IGNORECASE) else self._uri_of(key)
        s3 = _S3.fullmatch(uri)
        if s3 is not None:
            self._s3(s3).put(s3[1], s3[2], pieces_of(content))
            return uri
        pfs = _PFS.fullmatch(uri)
        if pfs is not None:
            if pfs[3] is not None:
                raise ValueError(f"Cannot put {uri}: name a branch, without a number")
            branch = f"{pfs[1]}/branches/{quote(pfs[2], safe='')}"
            with self._pfs("PUT", branch, pfs[4], content) as answer:
                return f"pfs://{pfs[1]}/{json.loads(answer.read())['id']}/{pfs[4]}"
        if _HTTP.fullmatch(uri) is None:
            raise _unknown("put", uri)
        _ask("PUT", uri, content).close()
        return uri

    def _uri_of(self, key: str) -> str:
        find = self._settings.find
        name = key.lstrip("/")
        bucket = find("KUBEMR_S3_BUCKET_NAME")
        if bucket is None:
            return f"pfs://{find('PACH_OUTPUT_REPO') or ''}/puts/{name}"
        parts = (find("KUBEMR_S3_BUCKET_PREFIX") or "", find("KUBEMR_JOB_NAME") or "", name)
        path = "/".join(part.strip("/") for part in parts if part.strip("/"))
        return f"s3://{bucket}/{path}"

    def _s3(self, found: re.Match[str]) -> S3:
        given = parse_qs(found[3] or "")
        place = (given.get(name, [None])[0] for name in ("endpoint", "region"))
        return S3(self._settings.s3(*place))

    def _pfs(
        self, method: str, of: str, path: str, content: Optional[Content] = None
    ) -> HTTPResponse:
        find = self._settings.find
        headers = {} if method == "GET" else {"Idempotency-Key": secrets.token_hex(16)}
        token = find("PACH_TOKEN")
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        address = find("ADDRESS") or "127.0.0.1:30650"
        return _ask(method, f"http://{address}/api/v1/repos/{of}/files/{quote(path)}", content, headers)


def _ask(
    method: str,
    uri: str,
    content: Optional[Content] = None,
    headers: Optional[Dict[str, str]] = None,
) -> HTTPResponse:
    """Sends a request. An answer other than 2xx is an error, never content."""
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    data: Any = content.encode() if isinstance(content, str) else content
    if data is not None and not isinstance(data, (bytes, bytearray)):
        data = pieces_of(data)
    request = Request(urlunsplit(parts._replace(netloc=host)), data, headers or {}, method=method)
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(pair).decode()}")
    request.add_unredirected_header("Content-Type", "application/octet-stream")
    try:
        return urlopen(request)
    except HTTPError as error:
        verb = "read" if method == "GET" else "store"
        text = error.read(500).decode("utf-8", "replace")
        raise OSError(f"Cannot {verb} {uri}: the server answered {error.code} {text}") from None


def pieces_of(content: Content) -> Iterator[bytes]:
    if isinstance(content, str):
        yield content.encode()
    elif isinstance(content, (bytes, bytearray, memoryview)):
        yield bytes(content)
    elif hasattr(content, "read"):
        yield from iter(lambda: content.read(_SLICE), b"")
    else:
        for piece in content:
            yield piece.encode() if isinstance(piece, str) else bytes(piece)


def buffered(response: HTTPResponse, uri: str) -> io.BufferedReader:
    """The body of an answer; one that breaks off must not be taken for the whole."""
    return io.BufferedReader(_Whole(response, uri), _SLICE)


class _Whole(io.RawIOBase):
    def __init__(self, response: HTTPResponse, uri: str) -> None:
        self._response = response
        self._uri = uri

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._response.readinto(buffer)
        if count == 0 and self._response.length:
            raise OSError(f"Cannot read {self._uri}: the answer broke off")
        return count

    def close(self) -> None:
        self._response.close()
        super().close()


def _unknown(what: str, uri: str) -> ValueError:
    known = "s3://BUCKET/KEY, http(s):// and pfs://REPO/COMMIT/PATH"
    return ValueError(f"Cannot {what} {uri}: only {known} are known")


class S3Settings(NamedTuple):
    """Where S3 is, and who asks; without a key nobody, and requests are not signed."""

    endpoint: str
    region: str
    key: Optional[str] = None
    secret: Optional[str] = None
    session: Optional[str] = None


class Settings:
    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def secret(self, name: str) -> Optional[bytes]:
        """A value of the secret that ``usersecretname`` names; None when it has none of this name."""
        directory = self._env.get("PACH_SECRET_DIR")
        if directory is None or not name or "/" in name or name in (".", ".."):
            return None
        try:
            with open(os.path.join(directory, name), "rb") as file:
                return file.read()
        except OSError:
            return None

    def find(self, *names: str) -> Optional[str]:
        """The first of these that the secret says, or else the environment; empty is as good as absent."""
        for name in names:
            value = (self.secret(name) or b"").decode().strip()
            if value:
                return value
        return next((self._env[name] for name in names if self._env.get(name)), None)

    def s3(self, endpoint: Optional[str] = None, region: Optional[str] = None) -> S3Settings:
        """How to reach S3. An address that says more counts more."""
        region = region or self.find("KUBEMR_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION")
        region = region or "us-east-1"
        names = ("KUBEMR_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        endpoint = endpoint or self.find(*names) or f"https://s3.{region}.amazonaws.com"
        key = self.find(*_key_names("ACCESS_KEY_ID"))
        secret = self.find(*_key_names("SECRET_ACCESS_KEY"))
        if key is None or secret is None:
            key = secret = None
        session = self.find("AWS_SESSION_TOKEN")
        return S3Settings(re.sub("/+$", "", endpoint), region, key, secret, session)


def _key_names(name: str) -> Tuple[str, ...]:
    return tuple(prefix + name for prefix in ("AWS_", "KUBEMR_S3_", "S3_"))


# S3 has no part smaller than 5 MiB; one is in memory at a time.
_PART = 8 << 20


class S3:
    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings

    def get(self, bucket: str, key: str) -> HTTPResponse:
        return self._send(bucket, key, "GET")

    def put(self, bucket: str, key: str, content: Iterable[bytes]) -> None:
        """Stores an object; nobody sees a part of it."""
        parts = _parts_of(content)
        last = next(parts)
        upload: Optional[str] = None
        etags: List[str] = []
        try:
            for part in parts:
                upload = upload or self._begin(bucket, key)
                etags.append(self._part(bucket, key, upload, len(etags) + 1, last))
                last = part
            if upload is None:
                self._send(bucket, key, "PUT", body=last).close()
                return
            etags.append(self._part(bucket, key, upload, len(etags) + 1, last))
            self._complete(bucket, key, upload, etags)
        except BaseException:
            if upload is not None:
                self._abort(bucket, key, upload)
            raise

    def _begin(self, bucket: str, key: str) -> str:
        with self._send(bucket, key, "POST", {"uploads": ""}) as answer:
            found = re.search(r"<UploadId>([^<]+)</UploadId>", answer.read().decode())
        if found is None:
            raise OSError(f"S3 began no upload of s3://{bucket}/{key}")
        return found[1]

    def _part(self, bucket: str, key: str, upload: str, number: int, body: bytes) -> str:
        query = {"partNumber": str(number), "uploadId": upload}
        with self._send(bucket, key, "PUT", query, body) as answer:
            return answer.headers.get("ETag", "")

    def _complete(self, bucket: str, key: str, upload: str, etags: List[str]) -> None:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            for number, etag in enumerate(etags, 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        with self._send(bucket, key, "POST", {"uploadId": upload}, body) as answer:
            text = answer.read().decode()
        # It answers before it is done, and may fail afterwards.
        if "<Error>" in text:
            raise OSError(f"Cannot store s3://{bucket}/{key}: {_why(text)}")

    def _abort(self, bucket: str, key: str, upload: str) -> None:
        try:
            self._send(bucket, key, "DELETE", {"uploadId": upload}).close()
        except OSError:
            pass  # What went wrong before says more.

    def _send(
        self,
        bucket: str,
        key: str,
        method: str,
        query: Optional[Dict[str, str]] = None,
        body: bytes = b"",
    ) -> HTTPResponse:
        pairs = sorted(f"{_quoted(name)}={_quoted(value)}" for name, value in (query or {}).items())
        search = "&".join(pairs)
        path = "/" + "/".join(_quoted(part) for part in [bucket, *key.split("/")])
        url = f"{self._settings.endpoint}{path}{'?' + search if search else ''}"
        time = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        headers = {
            "Content-Type": "application/octet-stream",
            **signed(self._settings, method, url, body, time),
        }
        data = None if method in ("GET", "DELETE") else body
        try:
            return urlopen(Request(url, data=data, headers=headers, method=method))
        except HTTPError as error:
            verb = "read" if method == "GET" else "store"
            why = _why(error.read().decode("utf-8", "replace"))
            raise OSError(f"Cannot {verb} s3://{bucket}/{key}: S3 answered {error.code} {why}") from None


def signed(settings: S3Settings, method: str, url: str, body: bytes, time: str) -> Dict[str, str]:
    """The headers that say who sends a request (AWS Signature Version 4)."""
    if settings.key is None or settings.secret is None:
        return {}
    parts = urlsplit(url)
    digest = hashlib.sha256(body).hexdigest()
    headers = {"x-amz-content-sha256": digest, "x-amz-date": time}
    if settings.session is not None:
        headers["x-amz-security-token"] = settings.session
    every = {"host": parts.netloc, **headers}
    names = ";".join(every)
    lines = "".join(f"{name}:{value}\n" for name, value in every.items())
    canonical = "\n".join([method, parts.path, parts.query, lines, names, digest])
    scope = f"{time[:8]}/{settings.region}/s3/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashed}"
    key = f"AWS4{settings.secret}".encode()
    for part in [*scope.split("/"), to_sign]:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    who = f"Credential={settings.key}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    return {**headers, "Authorization": f"AWS4-HMAC-SHA256 {who}"}


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


def _parts_of(content: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces of the size of a part, the last one shorter; one, empty, of nothing."""
    part = bytearray()
    for piece in content:
        part += piece
        while len(part) > _PART:
            yield bytes(part[:_PART])
            del part[:_PART]
    yield bytes(part)


def _why(text: str) -> str:
    found = (re.search(f"<{name}>([^<]*)</{name}>", text) for name in ("Code", "Message"))
    return ": ".join(match[1] for match in found if match and match[1])
