"""The act ``evidence.purge``: records whose retention is over go, and leave their hashes (``core/ledger/purge.py``).

Body: ``before`` (a time), ``domain`` and ``object`` (empty: any), ``through`` (no record from this number on), and of
the preview its time ``as_of`` and what it showed, ``count`` and ``ranges`` (a SHA-256 over the numbers): exactly that
is purged, or nothing. The rule is that as of the preview, so that time alone changes nothing, and with every hold that
was placed since; what it let go then may go later too.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session

from core.approval.acts import Act, Body, Concern
from core.clock import parse_given
from core.errors import Malformed, TrustError, Unavailable
from core.identity import SITE, PersonId
from core.ledger import purge, selection
from core.ledger.errors import Kept
from core.ledger.purge import TwoPeople
from core.ledger.register import Register
from core.ledger.retention import Retention
from core.ledger.selection import Asked, Rule, Selection
from core.signed import Json

NAME = "evidence.purge"

_TIMES = ("as_of", "before")
_TEXTS = ("domain", "object", "ranges")
_NUMBERS = ("count", "through")


@dataclass(frozen=True, slots=True)
class Looked:
    """What may go, as a read transaction found it: of what was asked for, under a rule."""

    asked: Asked
    by: Rule
    chosen: Selection


def act(register: Register, retention: Retention) -> Act:
    """Return the act under the retention's numbers."""
    return _Purge(register, retention).act()


@dataclass(frozen=True, slots=True)
class _Purge:
    """The act. It looks through every record; having ``looked`` it holds that nothing changed since, and reads none."""

    register: Register
    retention: Retention
    looked: Looked | None = None

    def act(self) -> Act:
        return Act(NAME, self.concern, self.consequences, self.carry_out, self.look)

    def concern(self, session: Session, body: Body, at: datetime) -> Concern:  # noqa: ARG002  # the form of every act
        _parse(body, at)
        return Concern(object="log:records", domain=SITE)

    def look(self, session: Session, body: Body, at: datetime) -> Act:
        try:
            return replace(self, looked=self._select(session, body, at)).act()
        except TrustError:
            # Refused before any record was read: whoever goes on is told so then.
            return self.act()

    def consequences(self, session: Session, body: Body, at: datetime) -> list[str]:
        chosen = self._choose(session, body, at).chosen
        first, last = chosen.ranges[0][0], chosen.ranges[-1][1]
        told = [f"{count} × {kind}" for kind, count in chosen.types.most_common(10)]
        return [
            f"{chosen.count} records between number {first} and {last} are purged for good: {', '.join(told)}",
            "each leaves its hash: root and checkpoints stay, the log still verifies and says who purged what and why",
            "copies in recovery points made before stay until those points expire",
        ]

    def carry_out(
        self, session: Session, body: Body, proposer: PersonId, approver: PersonId, at: datetime
    ) -> dict[str, Json]:
        found = self._choose(session, body, at)
        people = TwoPeople(proposer, approver)
        record = purge.decide(session, found.asked, found.chosen, found.by, people, at=at)
        return {"record": record, "count": found.chosen.count}

    def _choose(self, session: Session, body: Body, at: datetime) -> Looked:
        found = self._select(session, body, at) if self.looked is None else self._again(session, body, at, self.looked)
        _check(found.chosen, body)
        return found

    def _select(self, session: Session, body: Body, at: datetime) -> Looked:
        asked, by = self._asked(session, body, at)
        return Looked(asked, by, selection.select_records(session, asked, by))

    def _again(self, session: Session, body: Body, at: datetime, looked: Looked) -> Looked:
        asked, by = self._asked(session, body, at)
        # Under the same rule the same may go: a numbered record is never changed but by a purge (migration 0014).
        if looked.asked != asked or not looked.by.decides_like(by):
            raise Unavailable(
                "a hold, a level or a certificate changed at this very moment, and with it what may be purged",
                hint="nothing was done: try again",
            )
        return looked

    def _asked(self, session: Session, body: Body, at: datetime) -> tuple[Asked, Rule]:
        asked, as_of = _parse(body, at)
        return asked, selection.rule(session, self.register, self.retention, as_of)


def _check(chosen: Selection, body: Body) -> None:
    if not chosen.ranges:
        raise Kept("nothing may be purged: everything that was asked for is kept", hint="see the preview for reasons")
    if (chosen.count, chosen.digest) != (body["count"], body["ranges"]):
        raise Kept(
            "what may be purged is no longer what the preview showed", hint="look at a new preview, propose anew"
        )


def _parse(body: Body, at: datetime) -> tuple[Asked, datetime]:
    """Return what is asked for, and the time of its preview. Raises ``Malformed``, also for one that is to come."""
    texts = {name: body.get(name) for name in (*_TIMES, *_TEXTS)}
    numbers = [body.get(name) for name in _NUMBERS]
    sound = set(body) == {*texts, *_NUMBERS} and all(isinstance(one, str) and len(one) <= 200 for one in texts.values())
    if not sound or not all(type(one) is int and one >= 0 for one in numbers):
        raise Malformed("the body of a purge is what its preview gave", hint="see `guosuo evidence purge`")
    as_of, before = (_moment(name, str(texts[name])) for name in _TIMES)
    if as_of > at:
        raise Malformed("`as_of` is the time of the preview, and lies in the future")
    through = body["through"]
    assert isinstance(through, int)
    return Asked(before, str(texts["domain"]), str(texts["object"]), through), as_of


def _moment(name: str, text: str) -> datetime:
    try:
        return parse_given(text)
    except ValueError as error:
        raise Malformed(f"`{name}` is not a time with an offset from UTC: {error}") from error
