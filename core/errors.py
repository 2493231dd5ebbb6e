"""The tree of errors. It knows no HTTP and no exit status: the edges map kinds (``core/web.py``, ``deploy/cli``).

TrustError
├── Malformed        the input cannot be read
├── Unauthenticated  nobody knows who is asking
├── Forbidden        known, but may not
├── NotFound         there is no such thing
├── Conflict         true once, but no longer (already revoked, stale page, lost race)
├── Rejected         readable and permitted, but against a rule (weak key, foreign name)
└── Unavailable      a part we need does not answer; trying again may help

Messages are one lower-case sentence in the user's words, without a full stop; what the user wrote stands in backticks.
Leaves live in each package's ``errors.py``.
"""

from typing import ClassVar


class TrustError(Exception):
    """The root. ``reason`` is a stable machine word, ``hint`` says what to do about it.

    ``rule`` quotes the rule that was broken (``core/rule.py``), ``about`` names the object concerned (``person:ID``): a
    refusal that quotes a rule is put on record by the edge (``core/refusal.py``).
    """

    reason: ClassVar[str] = "error"

    def __init__(self, detail: str, *, hint: str = "", reason: str = "", rule: str = "", about: str = "") -> None:
        """Keep ``detail``; ``reason`` overrides the class's word where one class serves several reasons."""
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.word = reason or self.reason
        self.rule = rule
        self.about = about


class Malformed(TrustError):
    """The input cannot be read."""

    reason = "malformed"


class Unauthenticated(TrustError):
    """Nobody knows who is asking."""

    reason = "unauthenticated"


class Forbidden(TrustError):
    """Known, but may not."""

    reason = "forbidden"


class NotFound(TrustError):
    """There is no such thing."""

    reason = "not-found"


class Conflict(TrustError):
    """It was so once, but no longer is."""

    reason = "conflict"


class Rejected(TrustError):
    """Readable and permitted, but against a rule."""

    reason = "rejected"


class Unavailable(TrustError):
    """A part that is needed does not answer."""

    reason = "unavailable"
