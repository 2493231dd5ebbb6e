"""One-time codes: how they are written and read, how the store keeps them, and when one is good. Pure.

A code is 24 characters of Crockford's base 32: six name it, seventeen (85 bits) are its secret, the last tells a typing
error. The store keeps the name and a salted scrypt (RFC 7914) of the secret: whoever copies the store has no code.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from core.errors import Malformed

#: No I, L, O and U: nobody takes one for another.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

_NAME, _SECRET, _GROUP = 6, 17, 6
_LENGTH = _NAME + _SECRET + 1
_FORM = re.compile(f"[{ALPHABET}]{{{_LENGTH}}}")
_READ_AS = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None, " ": None})

#: Characters of a code as people write it: nothing longer is looked at.
LONGEST = 64

#: RFC 7914, 2: 16 MiB and some 50 ms. What is guessed has 85 bits; this is for what somebody may make of codes one day.
_N, _R, _P, _OCTETS = 2**14, 8, 1, 32
SALT = 16

#: Wrong tries after which a code is locked.
TRIES = 5

SHORTEST_LIFE, USUAL_LIFE, LONGEST_LIFE = timedelta(minutes=5), timedelta(hours=24), timedelta(days=7)


class CodeState(StrEnum):
    """What became of a code; an open one may be over (``judge``)."""

    OPEN = "open"
    USED = "used"
    LOCKED = "locked"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Code:
    """A code in its parts; ``name`` is no secret, and is how lists and records call it."""

    name: str
    secret: str

    @property
    def text(self) -> str:
        """Return it as people are given it."""
        plain = f"{self.name}{self.secret}"
        plain += _check(plain)
        return "-".join(plain[at : at + _GROUP] for at in range(0, _LENGTH, _GROUP))


@dataclass(frozen=True, slots=True)
class Kept:
    """What decides about a code when somebody shows it; ``digest`` is that of the request it was used for."""

    state: CodeState
    expires_at: datetime
    tries: int
    digest: str


def make(random: Callable[[int], bytes]) -> Code:
    """Return a new code."""
    # 256 is a multiple of 32: each character is as likely as any other.
    plain = "".join(ALPHABET[octet % 32] for octet in random(_NAME + _SECRET))
    return Code(plain[:_NAME], plain[_NAME:])


def parse_code(text: str) -> Code:
    """Read a code as somebody typed it. Raises ``Malformed``: then it was mistyped, and nothing need be asked."""
    plain = text[: LONGEST + 1].upper().translate(_READ_AS)
    if len(text) > LONGEST or not _FORM.fullmatch(plain) or plain[-1] != _check(plain[:-1]):
        raise Malformed("this is no one-time code: it was mistyped", hint=f"{_LENGTH} characters in groups of {_GROUP}")
    return Code(plain[:_NAME], plain[_NAME:-1])


def verifier(secret: str, salt: bytes) -> bytes:
    """Return what the store keeps of a secret. Takes its time on purpose."""
    return hashlib.scrypt(secret.encode("ascii"), salt=salt, n=_N, r=_R, p=_P, dklen=_OCTETS)


def is_right(code: Code | None, salt: bytes | None, kept: bytes | None) -> bool:
    """Say whether ``code`` is the one that is kept; takes as long when it is none, or when nothing is kept."""
    found = verifier(code.secret if code else "", salt or bytes(SALT))
    return hmac.compare_digest(found, kept or bytes(_OCTETS)) and code is not None and kept is not None


def judge(kept: Kept | None, *, right: bool, digest: str, now: datetime) -> str:
    """Return why a code is refused for a request, in a word for the record; empty when it is good for it.

    One that was used is good for the very same request again: whoever was interrupted goes on.
    """
    if kept is None:
        return "unknown"
    if kept.state in (CodeState.WITHDRAWN, CodeState.LOCKED):
        return kept.state.value
    if not right:
        return "wrong"
    if kept.state is CodeState.USED:
        return "" if hmac.compare_digest(kept.digest, digest) else "used"
    return "" if now < kept.expires_at else "expired"


def after_try(kept: Kept) -> tuple[CodeState, int]:
    """Return state and number of tries after one that was refused."""
    tries = kept.tries + 1
    locks = kept.state is CodeState.OPEN and tries >= TRIES
    return (CodeState.LOCKED if locks else kept.state), tries


def _check(plain: str) -> str:
    return ALPHABET[hashlib.sha256(plain.encode("ascii")).digest()[0] % 32]
