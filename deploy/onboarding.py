"""Enrolment from the side of whoever enrols: a key of their own, a request, and patience; the same call always goes on.

1. The root is fetched and pinned by its fingerprint. 2. A key is made where it stays, with its request; both are kept.
3. The one-time code is shown with the request, which then waits at the desk. 4. What was issued is checked against key
and root, and becomes the pair that counts.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import NotFound, Rejected
from deploy import anchor, login
from deploy.anchor import Anchor
from deploy.card import Card
from deploy.client import Answer
from deploy.pair import Pair, PairFolder, Pending
from deploy.request import make_key
from deploy.visitor import Visitor
from pki import onetime

#: Seconds between two questions, at first and at last.
_SOON, _LATER = 1.0, 15.0

_PROGRESS = "/api/v1/enrolment/progress"

#: What a request ends with when it is not issued.
_OVER = ("returned", "rejected")


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody enrols with; ``key`` is empty for a new one in a file, or a PKCS#11 URI of one on a token.

    ``make_key``: it is made on the token, unless it is there. ``again``: another certificate takes the place of the one
    that is in the folder, which may be revoked.
    """

    url: str
    fingerprint: str
    code: str
    folder: Path
    key: str = ""
    patience: float = 3600.0
    make_key: bool = False
    again: bool = False


class Waits(Exception):  # no error: somebody else is to act
    """The request waits for somebody else; the same call goes on."""

    def __init__(self, told: Answer) -> None:
        """Keep what is known of it."""
        super().__init__(str(told["waits_for"]))
        self.told = told


def enrol(asked: Asked, *, say: Callable[[str], None]) -> Pair:
    """Return the pair that was enrolled, now or before. Raises ``Waits``, or what was refused and why."""
    kept = PairFolder(asked.folder)
    with kept.held():
        kept.clear()
        present = kept.current()
        if present is not None and not asked.again:
            say("this folder has its certificate: `cert renew` renews it, --again puts another in its place")
            return present
        # Mistyped codes are told here: nothing is sent, and no try is used up.
        code = onetime.parse_code(asked.code).text
        found = anchor.fetch(asked.url, asked.fingerprint)
        anchor.install(found, asked.folder)
        kept.remember(asked.url)
        waiting = kept.pending() or kept.begin(_maker(asked), uri=asked.key)
        say(f"the key has the fingerprint {fingerprint(waiting)}: the officer sees the same")
        with Visitor(asked.url, found) as visitor:
            told = _Enrolment(visitor, kept, waiting, say).wait(code, asked.patience)
        return _conclude(kept, waiting, told, found)


def fingerprint(waiting: Pending) -> str:
    """Return the SHA-256 of a waiting key, as the desk shows it."""
    return hashlib.sha256(waiting.spki).hexdigest()


def _maker(asked: Asked) -> Callable[[Path], bytes]:
    return requester(asked.key, make_key=asked.make_key) if asked.key else make_key


def requester(uri: str, *, make_key: bool) -> Callable[[Path], bytes]:
    """Return what makes a request over a key on a token; the key itself is made there too, when that is wanted."""
    card = Card(uri, login.home())
    card.prepare()

    def make(_path: Path) -> bytes:
        if make_key:
            card.make_key()
        return card.request()

    return make


@dataclass(frozen=True, slots=True)
class _Enrolment:
    visitor: Visitor
    kept: PairFolder
    waiting: Pending
    say: Callable[[str], None]

    def wait(self, code: str, patience: float) -> Answer:
        """Show the code, or ask by the ticket of an earlier run, until the request is decided. Raises ``Waits``."""
        told = self._ask_again() or self._show(code)
        ticket = str(told.get("ticket", self.waiting.ticket))
        end, pause, said = time.monotonic() + patience, _SOON, ""
        while not told["chain"] and told["state"] not in _OVER:
            if told["waits_for"] != said:
                said = str(told["waits_for"])
                self.say(f"request {told['request']} waits for {said}")
            if time.monotonic() + pause > end:
                raise Waits(told)
            time.sleep(pause)
            pause = min(pause * 1.5, _LATER)
            told = self.visitor.post(_PROGRESS, {"ticket": ticket})
        return told

    def _show(self, code: str) -> Answer:
        told = self.visitor.post("/api/v1/enrolment", {"code": code, "csr": self.waiting.request.decode("ascii")})
        self.kept.remember_ticket(str(told["ticket"]))
        return told

    def _ask_again(self) -> Answer | None:
        """Ask by a ticket of an earlier run; nothing when it is not known (any more)."""
        if not self.waiting.ticket:
            return None
        try:
            return self.visitor.post(_PROGRESS, {"ticket": self.waiting.ticket})
        except NotFound:
            return None


def _conclude(kept: PairFolder, waiting: Pending, told: Answer, found: Anchor) -> Pair:
    if not told["chain"]:
        kept.drop()
        detail = f"the request was {told['state']}: {told['comment']}"
        raise Rejected(detail, hint="a new code takes a new key: ask for one", reason=f"request-{told['state']}")
    chain = str(told["chain"]).encode("ascii")
    anchor.check_chain(chain, found.root, waiting.spki)
    return kept.install(chain)
