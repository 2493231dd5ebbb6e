"""What a drill finds: checks, a verdict, and how long it took. Pure."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypedDict

from backup.errors import BadManifest, Damaged
from core.errors import TrustError
from core.ledger.errors import BadCheckpoint, BadCheckpointSignature, InconsistentLog

#: What is a finding about the archive; anything else that goes wrong says nothing about it.
FINDINGS = (Damaged, BadManifest, BadCheckpoint, BadCheckpointSignature, InconsistentLog)


class Verdict(StrEnum):
    """Passed or failed are findings about the archive; an error is none, whatever went wrong."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"


class CheckRow(TypedDict):
    """One check as it is printed."""

    name: str
    ok: bool
    detail: str


class DrillOutcome(TypedDict):
    """What ``guosuo drill run --json`` prints; seconds from the start of the drill."""

    ok: bool
    verdict: str
    point: str
    sha256: str
    rto_seconds: float
    rpo_seconds: float
    checks: list[CheckRow]
    phases: dict[str, float]
    not_rebuilt: dict[str, str]
    report: str


@dataclass
class Examination:
    """Collects checks in their order."""

    checks: list[CheckRow] = field(default_factory=list)

    def add(self, name: str, ok: bool, detail: str) -> None:
        """Add one check."""
        self.checks.append({"name": name, "ok": ok, "detail": _line(detail)})

    @contextmanager
    def refusing(self, name: str) -> Iterator[None]:
        """Turn a finding about the archive in the block into a failed check; anything else goes on upwards."""
        try:
            yield
        except FINDINGS as error:
            self.add(name, ok=False, detail=error.detail)

    @contextmanager
    def control(self, name: str, what: str) -> Iterator[None]:
        """Pass only when the block *is* refused: a check that could not fail proves nothing."""
        try:
            yield
        except TrustError as error:
            is_finding = isinstance(error, FINDINGS)
            self.add(name, ok=is_finding, detail=f"{what}: refused, {error.detail}")
        else:
            self.add(name, ok=False, detail=f"{what}: it was not noticed")

    @property
    def verdict(self) -> Verdict:
        """What all checks together say; no check at all says nothing."""
        if not self.checks:
            return Verdict.ERROR
        return Verdict.PASSED if all(check["ok"] for check in self.checks) else Verdict.FAILED


def without_verdict(detail: str, *, point: str, seconds: float) -> DrillOutcome:
    """Return the outcome of a drill that says nothing about the archive."""
    return {
        "ok": False,
        "verdict": Verdict.ERROR.value,
        "point": point,
        "sha256": "",
        "rto_seconds": round(seconds, 2),
        "rpo_seconds": 0.0,
        "checks": [{"name": "drill", "ok": False, "detail": _line(detail)}],
        "phases": {},
        "not_rebuilt": {},
        "report": "",
    }


def some(names: Sequence[str], most: int = 4) -> str:
    """Return a list for people: the first few, and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more if names else "none"


def _line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()[:600]
