"""What somebody or something holds: the one question put to every package before a person, device, domain or key ends.

Each package answers for what is its own through the port ``Holder``; ``deploy/wiring.py`` joins the answers as
``Holders``. GB/T 22239-2019 8.1.8.2: the access of those who leave is ended in time, all of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlmodel import Session

from core.errors import Malformed
from core.identity import PersonId

#: What may be asked about: a person's id, a device's, a domain's, or a key by label or SubjectPublicKeyInfo hash.
KINDS = ("person", "device", "domain", "key")


@dataclass(frozen=True, slots=True, order=True)
class Holding:
    """One thing that is held. ``ends``: it ends with its holder; otherwise it passes to whoever comes next.

    ``kind`` is a word such as ``certificate role membership post duty proposal``, ``identifier`` its id within it;
    ``follows`` is the post with which it passes on, when it does.
    """

    kind: str
    identifier: str
    title: str
    domain: str
    ends: bool
    follows: str = ""


class Holder(Protocol):
    """One package's answer."""

    def holdings(self, session: Session, kind: str, identifier: str, at: datetime) -> Sequence[Holding]:
        """Return what is held at a time; ``kind`` is one of ``KINDS``. Nothing for who or what is not known."""
        ...

    def relinquish(
        self, session: Session, person: PersonId, *, successor: PersonId | None, actor: str, at: datetime
    ) -> Sequence[Holding]:
        """End or pass on everything of this package that ``person`` holds, in the caller's transaction, with events.

        Return exactly what ``holdings`` said just before.
        """
        ...


@dataclass(frozen=True, slots=True)
class Holders:
    """Every package's answer, in the order in which things are given up: what follows a post before the posts."""

    holders: tuple[Holder, ...]

    def holdings(self, session: Session, kind: str, identifier: str, at: datetime) -> list[Holding]:
        """Return everything that is held at a time. Raises ``Malformed`` for a kind that there is not."""
        if kind not in KINDS:
            raise Malformed(f"`{kind}` is none of {', '.join(KINDS)}")
        return [one for holder in self.holders for one in holder.holdings(session, kind, identifier, at)]

    def relinquish(
        self, session: Session, person: PersonId, *, successor: PersonId | None, actor: str, at: datetime
    ) -> list[Holding]:
        """Give up everything that ``person`` holds, in the caller's transaction; return what it was."""
        given = [holder.relinquish(session, person, successor=successor, actor=actor, at=at) for holder in self.holders]
        return [one for part in given for one in part]
