"""What calls take and give. Times are UTC; what is absent is None, or an empty tuple."""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Callable, Dict, Hashable, Mapping, Optional, Tuple, TypeVar, Union
from typing import get_args, get_origin, get_type_hints

Json = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class CommitName:
    """A commit: its repo and ``branch/N``, or a branch, which stands for its newest commit."""

    repo: str
    id: str

    def __str__(self) -> str:
        return f"{self.repo}/{self.id}"


@dataclass(frozen=True)
class Repo:
    name: str
    created: datetime
    size_bytes: int
    """Bytes that its finished commits added."""
    provenance: Tuple[str, ...]
    """All repos it is made from."""


@dataclass(frozen=True)
class Commit(CommitName):
    uid: str
    """Identity that no other commit ever has."""
    branch: str
    parent: Optional[str]
    state: str
    """``open``, ``closing``, ``finished`` or ``cancelled``."""
    archived: bool
    started: datetime
    finished: Optional[datetime]
    size_bytes: int
    """Bytes that this commit added."""
    provenance: Tuple[CommitName, ...]

    __str__ = CommitName.__str__


@dataclass(frozen=True)
class File:
    """A file or directory at a commit."""

    path: str
    """Without a leading slash; empty for the root."""
    type: str
    """``file`` or ``dir``."""
    size_bytes: int
    """Of a directory: of everything below it."""
    modified: datetime
    commit_modified: CommitName
    digest: str
    children: Tuple[str, ...]
    """Names of a directory's entries; only of an inspection."""


@dataclass(frozen=True)
class FileVersion:
    size_bytes: int
    digest: str


@dataclass(frozen=True)
class FileDifference:
    """A file that two commits differ in: without ``before`` it was added, without ``after`` deleted."""

    path: str
    before: Optional[FileVersion]
    after: Optional[FileVersion]


@dataclass(frozen=True)
class PipelineInput:
    repo: str
    method: Json
    run_empty: bool


@dataclass(frozen=True)
class Pipeline:
    name: str
    version: int
    transform: Json
    inputs: Tuple[PipelineInput, ...]
    output_repo: str
    created: datetime
    state: str
    """``idle``, ``running``, ``restarting``, ``failure`` or ``stopped``."""
    recent_error: Optional[str]
    parallelism_spec: Json
    job_counts: Optional[Mapping[str, int]]
    """Jobs by state; only of an inspection."""


@dataclass(frozen=True)
class JobInput:
    commit: CommitName
    method: Json
    run_empty: bool


@dataclass(frozen=True)
class Job:
    id: str
    pipeline: str
    transform: Json
    inputs: Tuple[JobInput, ...]
    parent_job: Optional[str]
    started: datetime
    finished: Optional[datetime]
    output_commit: Optional[CommitName]
    state: str
    """``creating``, ``running``, ``success``, ``failure`` or ``empty``."""
    error: Optional[str]
    """Why it failed."""
    tasks: Tuple[Json, ...]
    """The runs of its command, each with its attempts; only of an inspection."""


def commit_name(commit: Union[CommitName, str]) -> CommitName:
    """Reads ``repo/branch`` and ``repo/branch/N``."""
    if isinstance(commit, CommitName):
        return commit
    repo, _, id = commit.partition("/")
    if repo and id:
        return CommitName(repo, id)
    raise ValueError(f'Cannot read commit "{commit}": write it as repo/commit, such as data/master/0')


def read(kind: Callable[..., T], json: Json) -> T:
    """One of the classes above from JSON: names are in camelCase there, times microseconds since 1970."""
    return kind(**{name: _value(hint, json.get(key)) for name, key, hint in _fields(kind)})


@lru_cache(maxsize=None)
def _fields(kind: Hashable) -> Tuple[Tuple[str, str, Any], ...]:
    hints: Dict[str, Any] = get_type_hints(kind)
    return tuple((name, _key(name, hint), hint) for name, hint in hints.items())


def _key(name: str, hint: Any) -> str:
    first, *rest = name.split("_")
    micros = "Micros" if hint in (datetime, Optional[datetime]) else ""
    return first + "".join(map(str.capitalize, rest)) + micros


def _value(hint: Any, value: Any) -> Any:
    if get_origin(hint) is tuple:
        return tuple(_value(get_args(hint)[0], each) for each in value or ())
    if value is None:
        return None
    if get_origin(hint) is Union:
        return _value(get_args(hint)[0], value)
    if hint is datetime:
        # Not fromtimestamp(): a float does not hold microseconds exactly.
        return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=value)
    if isinstance(hint, type) and is_dataclass(hint):
        return read(hint, value)
    return value
