"""A pachd as a program sees it."""

from __future__ import annotations

import io
import os
import time
from contextlib import contextmanager
from typing import Any, BinaryIO, Callable, Iterator, Mapping, Optional, Sequence, TextIO, Tuple
from typing import TypeVar, Union
from urllib.parse import quote

from .bodies import Body, Path, body_of, tar_of
from .connection import Connection
from .errors import Error
from .model import Commit, CommitName, File, FileDifference, Job, Pipeline, Repo, commit_name, read

CommitLike = Union[CommitName, str]
"""A commit, or its name as text: ``data/master/0``, or ``data/master`` for the newest of the branch."""
Data = Union[bytes, bytearray, memoryview, BinaryIO]
T = TypeVar("T")

# One call waits no longer than this, in seconds; the loop around it has no limit.
_WAIT = 30.0


class Client:
    """Calls to one pachd. Every call may raise :class:`Error`; threads may share a client.

    A call whose answer is lost is sent again, up to five times, and carried out once; a put from a file
    that cannot seek is sent once only.

    :param address: ``host:port`` of pachd. Default: ``ADDRESS``, or 127.0.0.1:30650
    :param token: what a daemon with ``--token-file`` asks for. Default: the content of the file that
        ``PACH_TOKEN_FILE`` names
    :param timeout: seconds for which pachd may be silent within a call; at least 60, as calls that wait
        ask again every 30. Default: no limit
    """

    def __init__(
        self,
        address: Optional[str] = None,
        token: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> None:
        file = os.environ.get("PACH_TOKEN_FILE")
        if token is None and file:
            with open(file, encoding="utf-8") as opened:
                token = opened.read().strip()
        address = address or os.environ.get("ADDRESS") or "127.0.0.1:30650"
        self._http = Connection(address, token, timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes idle connections."""
        self._http.close()

    def version(self) -> str:
        """The version of the daemon."""
        return str(self._http.json("GET", "/version")["version"])

    # Repos

    def create_repo(self, name: str, provenance: Sequence[str] = ()) -> Repo:
        """``provenance`` names the repos whose commits this one's will be made from."""
        json = {"name": name, "provenance": list(provenance)}
        return read(Repo, self._http.json("POST", "/repos", json=json))

    def inspect_repo(self, name: str) -> Repo:
        return read(Repo, self._http.json("GET", _repo(name)))

    def list_repos(self, provenance: Sequence[str] = ()) -> list[Repo]:
        """All repos by name; with ``provenance`` those made from all of the given ones."""
        answer = self._http.json("GET", "/repos", query={"provenance": tuple(provenance)})
        return [read(Repo, each) for each in answer["repos"]]

    def delete_repo(self, name: str, force: bool = False) -> None:
        """Refused when other repos are made from it, unless ``force``."""
        self._http.json("DELETE", _repo(name), query={"force": force})

    def list_branches(self, repo: str) -> list[str]:
        return list(self._http.json("GET", f"{_repo(repo)}/branches")["branches"])

    # Commits

    def start_commit(self, parent: CommitLike, provenance: Sequence[CommitLike] = ()) -> Commit:
        """An open child of ``repo/branch``, which need not exist yet, or of ``repo/branch/N``."""
        name = commit_name(parent)
        json = {"parent": name.id, "provenance": _names(provenance)}
        return read(Commit, self._http.json("POST", f"{_repo(name.repo)}/commits", json=json))

    def finish_commit(self, commit: CommitLike, timeout: Optional[float] = None) -> Commit:
        """Waits until the parent is finished; ``timeout`` seconds at most, by default without limit."""

        def ask(wait_ms: int) -> Optional[Commit]:
            path, query = f"{_commit(commit)}/finish", {"waitMs": wait_ms}
            try:
                return read(Commit, self._http.json("POST", path, query=query))
            except Error as error:
                if error.code == "failed_precondition" and "waitingFor" in error.details:
                    return None
                raise

        return _ask_until(f"finish {commit}", timeout, ask)

    def cancel_commit(self, commit: CommitLike) -> Commit:
        return read(Commit, self._http.json("POST", f"{_commit(commit)}/cancel"))

    @contextmanager
    def commit(self, parent: CommitLike, provenance: Sequence[CommitLike] = ()) -> Iterator[Commit]:
        """Starts a commit that is finished at the end of the block, or cancelled when the block fails."""
        commit = self.start_commit(parent, provenance)
        try:
            yield commit
        except BaseException:
            self.cancel_commit(commit)
            raise
        self.finish_commit(commit)

    def inspect_commit(self, commit: CommitLike) -> Commit:
        return read(Commit, self._http.json("GET", _commit(commit)))

    def list_commits(
        self,
        *include: CommitLike,
        exclude: Sequence[CommitLike] = (),
        provenance: Sequence[CommitLike] = (),
        status: str = "NORMAL",
        block: bool = False,
    ) -> list[Commit]:
        """Commits per repo, oldest first.

        :param include: repos, or commits with their ancestors. Default: everything
        :param exclude: leaves out these commits and their ancestors
        :param provenance: only commits made from all of these
        :param status: ``NORMAL``, ``ARCHIVED``, ``CANCELLED`` or ``ALL``
        :param block: when there is none, waits for the first one
        """
        query = {
            "include": tuple(map(str, include)),
            "exclude": tuple(map(str, exclude)),
            "provenance": tuple(map(str, provenance)),
            "status": status,
            "block": block,
        }
        answer = self._http.json("GET", "/commits", query=query)
        return [read(Commit, each) for each in answer["commits"]]

    def flush_commits(
        self, *commits: CommitLike, to_repos: Sequence[str] = (), timeout: Optional[float] = None
    ) -> list[Commit]:
        """Waits until everything downstream of the commits is done; they and what came of them.

        :param to_repos: only these repos, and what they are made from, are waited for
        :param timeout: seconds. Default: no limit
        """
        json = {"commits": _names(commits), "toRepos": list(to_repos)}

        def ask(wait_ms: int) -> Optional[list[Commit]]:
            answer = self._http.json("POST", "/flush", json={**json, "waitMs": wait_ms})
            return [read(Commit, each) for each in answer["commits"]] if answer["done"] else None

        return _ask_until(f"flush {', '.join(map(str, commits))}", timeout, ask)

    # Files

    def put_file(
        self,
        commit: CommitLike,
        path: str,
        data: Data,
        overwrite: bool = False,
        delimiter: Optional[str] = None,
    ) -> int:
        """Appends bytes, or what an open binary file has from here on, to a file of an open commit.

        :param overwrite: replaces what the path has
        :param delimiter: where records end: ``line``, ``json`` or ``binary``. Default: by the suffix
        :return: the number of bytes
        """
        query = {"overwrite": overwrite, "delimiter": delimiter}
        return int(self._put(f"{_commit(commit)}/files/{_path(path)}", query, body_of(data))["bytes"])

    def put_folder(
        self, commit: CommitLike, folder: Path, path: str = "", overwrite: bool = False
    ) -> int:
        """Puts all files below a local folder under ``path``, all or none; the number of files."""
        query = {"path": path, "overwrite": overwrite}
        return int(self._put(f"{_commit(commit)}/tar", query, (tar_of(folder), True))["files"])

    def commit_file(
        self,
        branch: CommitLike,
        path: str,
        data: Data,
        overwrite: bool = False,
        delimiter: Optional[str] = None,
    ) -> Commit:
        """As :meth:`put_file`, as one finished commit of its own on ``repo/branch``."""
        query = {"overwrite": overwrite, "delimiter": delimiter}
        target = f"{_branch(branch)}/files/{_path(path)}"
        return read(Commit, self._put(target, query, body_of(data)))

    def commit_folder(
        self, branch: CommitLike, folder: Path, path: str = "", overwrite: bool = False
    ) -> Commit:
        """As :meth:`put_folder`, as one finished commit of its own on ``repo/branch``."""
        query = {"path": path, "overwrite": overwrite}
        return read(Commit, self._put(f"{_branch(branch)}/tar", query, (tar_of(folder), True)))

    def _put(self, target: str, query: Mapping[str, Any], body: Tuple[Body, bool]) -> Any:
        data, repeatable = body
        headers = {"Content-Type": "application/octet-stream"}
        return self._http.json(
            "POST", target, query=query, headers=headers, body=data, repeatable=repeatable
        )

    def get_file(
        self, commit: CommitLike, path: str, offset: int = 0, size: Optional[int] = None
    ) -> io.BufferedReader:
        """A file's content as a binary file to read from, ``size`` bytes at most from ``offset`` on."""
        if offset < 0 or (size is not None and size < 1):
            message = f"Cannot read {size} bytes from {offset} on: ask for 1 from 0 on, or more"
            raise ValueError(message)
        headers = {}
        if offset > 0 or size is not None:
            end = "" if size is None else offset + size - 1
            headers["Range"] = f"bytes={offset}-{end}"
        return self._http.open("GET", f"{_commit(commit)}/files/{_path(path)}", headers=headers)

    def inspect_file(self, commit: CommitLike, path: str) -> File:
        return read(File, self._http.json("GET", f"{_commit(commit)}/info/{_path(path)}"))

    def list_files(self, commit: CommitLike, path: str = "", recurse: bool = False) -> Iterator[File]:
        """The entries of a directory by path, fetched page by page; with ``recurse`` all below it."""
        target = f"{_commit(commit)}/list/{_path(path)}"
        return (read(File, each) for each in self._pages(target, {"recurse": recurse}))

    def diff_files(self, a: CommitLike, b: CommitLike, path: str = "") -> Iterator[FileDifference]:
        """The files at or below a path that differ between two commits of a repo."""
        a, b = commit_name(a), commit_name(b)
        if a.repo != b.repo:
            raise ValueError(f"Cannot compare {a} and {b}: name two commits of one repo")
        target = f"{_repo(a.repo)}/diff/{_path(path)}"
        return (read(FileDifference, each) for each in self._pages(target, {"a": a.id, "b": b.id}))

    def delete_file(self, commit: CommitLike, path: str) -> None:
        """Removes a path and all below it from an open commit; one that does not exist is no error."""
        self._http.json("DELETE", f"{_commit(commit)}/files/{_path(path)}")

    def _pages(self, target: str, query: Mapping[str, Any]) -> Iterator[Any]:
        after = None
        while True:
            page = self._http.json("GET", target, query={**query, "after": after})
            yield from page["files"]
            after = page.get("next")
            if after is None:
                return

    # Pipelines and jobs

    def create_pipeline(self, spec: Mapping[str, Any]) -> Pipeline:
        """``spec`` is what a pipeline file holds, parsed."""
        return read(Pipeline, self._http.json("POST", "/pipelines", json=spec))

    def inspect_pipeline(self, name: str) -> Pipeline:
        return read(Pipeline, self._http.json("GET", f"/pipelines/{_part(name)}"))

    def list_pipelines(self) -> list[Pipeline]:
        return [read(Pipeline, each) for each in self._http.json("GET", "/pipelines")["pipelines"]]

    def delete_pipeline(self, name: str) -> None:
        """Its output repo stays."""
        self._http.json("DELETE", f"/pipelines/{_part(name)}")

    def list_jobs(
        self, pipeline: Optional[str] = None, inputs: Sequence[CommitLike] = ()
    ) -> list[Job]:
        """Newest first; with ``inputs`` those whose inputs are exactly these commits."""
        query = {"pipeline": pipeline, "inputCommit": tuple(map(str, inputs))}
        return [read(Job, each) for each in self._http.json("GET", "/jobs", query=query)["jobs"]]

    def inspect_job(self, id: str) -> Job:
        return read(Job, self._http.json("GET", f"/jobs/{_part(id)}"))

    def wait_job(self, id: str, timeout: Optional[float] = None) -> Job:
        """Waits until a job has ended; ``timeout`` seconds at most, by default without limit."""

        def ask(wait_ms: int) -> Optional[Job]:
            query = {"waitMs": wait_ms}
            job = read(Job, self._http.json("GET", f"/jobs/{_part(id)}", query=query))
            return job if job.state in ("success", "failure", "empty") else None

        return _ask_until(f"wait for job {id}", timeout, ask)

    def get_logs(self, job: str, follow: bool = False) -> TextIO:
        """What a job printed, as a text file to read from; with ``follow`` up to the end of the job."""
        answer = self._http.open("GET", f"/jobs/{_part(job)}/logs", query={"follow": follow})
        return io.TextIOWrapper(answer, encoding="utf-8", errors="replace", newline="\n")


def _ask_until(action: str, timeout: Optional[float], ask: Callable[[int], Optional[T]]) -> T:
    """Asks until there is an answer or the time is over; a call may wait as many milliseconds as it gets."""
    end = float("inf") if timeout is None else time.monotonic() + timeout
    while True:
        answer = ask(int(max(0.0, min(_WAIT, end - time.monotonic())) * 1000))
        if answer is not None:
            return answer
        if time.monotonic() >= end:
            message = f"Cannot {action}: it takes longer than {timeout} s. Give it more time"
            raise Error("deadline_exceeded", message)


def _part(text: str) -> str:
    return quote(text, safe="")


def _path(path: str) -> str:
    return quote(path, safe="/")


def _repo(name: str) -> str:
    return f"/repos/{_part(name)}"


def _commit(commit: CommitLike) -> str:
    name = commit_name(commit)
    return f"{_repo(name.repo)}/commits/{_part(name.id)}"


def _branch(branch: CommitLike) -> str:
    name = commit_name(branch)
    return f"{_repo(name.repo)}/branches/{_part(name.id)}"


def _names(commits: Sequence[CommitLike]) -> list[Mapping[str, str]]:
    return [{"repo": name.repo, "id": name.id} for name in map(commit_name, commits)]
