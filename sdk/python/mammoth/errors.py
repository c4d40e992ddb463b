"""The one way in which calls fail."""

from __future__ import annotations

from typing import Any, Mapping, Optional


class Error(Exception):
    """A call that failed.

    ``code`` is for programs: ``not_found``, ``already_exists``, ``failed_precondition``, ``unavailable``
    and the others of docs/reference/errors.md. The message is for people: it names the action, the value
    and the remedy. ``details`` holds facts, such as ``{"commit": "master/1"}``.
    """

    def __init__(self, code: str, message: str, details: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details: Mapping[str, Any] = details or {}

    @property
    def is_passing(self) -> bool:
        """Whether the same call may succeed when it is sent again."""
        # "pack": garbage collection took away what the call was about to rely on; it is stored again.
        return self.code == "unavailable" or (self.code == "aborted" and "pack" in self.details)


_CODES = {
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    409: "failed_precondition",
    416: "out_of_range",
    507: "resource_exhausted",
}


def error_of(status: int, answer: Any) -> Error:
    """The failure that an answer of status 400 and above describes; ``answer`` is its JSON, or text."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict) and isinstance(error.get("code"), str):
        return Error(error["code"], str(error.get("message")), error.get("details"))
    # Not from pachd: something in between has answered.
    code = _CODES.get(status, "invalid_argument" if status < 500 else "unavailable")
    return Error(code, f"pachd answered {status}: {str(answer).strip()[:200]}")
