"""The act ``evidence.purge``: records whose retention is over go, and leave their hashes (``core/ledger/purge.py``).

Body: ``before`` (a time), ``domain`` and ``object`` (empty: any), ``through`` (no record from this number on), and what
the preview showed, ``count`` and ``ranges`` (a SHA-256 over the numbers): exactly that is purged, or nothing.
"""

from datetime import datetime

from sqlmodel import Session

from core.approval.acts import Act, Body, Concern
from core.clock import from_rfc3339
from core.errors import Malformed
from core.identity import SITE, PersonId
from core.ledger import purge, selection
from core.ledger.errors import Kept
from core.ledger.purge import TwoPeople
from core.ledger.register import Register
from core.ledger.retention import Retention
from core.ledger.selection import Asked, Rule, Selection
from core.signed import Json

NAME = "evidence.purge"

_TEXTS = ("before", "domain", "object", "ranges")
_NUMBERS = ("count", "through")


def act(register: Register, retention: Retention) -> Act:
    """Return the act under the retention's numbers."""

    def concern(session: Session, body: Body, at: datetime) -> Concern:  # noqa: ARG001  # the form of every act
        _parse(body)
        return Concern(object="log:records", domain=SITE)

    def consequences(session: Session, body: Body, at: datetime) -> list[str]:
        chosen = _chosen(session, body, selection.rule(session, register, retention, at))
        first, last = chosen.ranges[0][0], chosen.ranges[-1][1]
        told = [f"{count} × {kind}" for kind, count in chosen.types.most_common(10)]
        return [
            f"{chosen.count} records between number {first} and {last} are purged for good: {', '.join(told)}",
            "each leaves its hash: root and checkpoints stay, the log still verifies and says who purged what and why",
            "copies in recovery points made before stay until those points expire",
        ]

    def carry_out(
        session: Session, body: Body, proposer: PersonId, approver: PersonId, at: datetime
    ) -> dict[str, Json]:
        by = selection.rule(session, register, retention, at)
        chosen = _chosen(session, body, by)
        record = purge.decide(session, _parse(body), chosen, by, TwoPeople(proposer, approver))
        return {"record": record, "count": chosen.count}

    return Act(name=NAME, concern=concern, consequences=consequences, carry_out=carry_out)


def _chosen(session: Session, body: Body, by: Rule) -> Selection:
    chosen = selection.select_records(session, _parse(body), by)
    if not chosen.ranges:
        raise Kept("nothing may be purged: everything that was asked for is kept", hint="see the preview for reasons")
    if (chosen.count, chosen.digest) != (body["count"], body["ranges"]):
        raise Kept(
            "what may be purged is no longer what the preview showed", hint="look at a new preview, propose anew"
        )
    return chosen


def _parse(body: Body) -> Asked:
    texts = {name: body.get(name) for name in _TEXTS}
    numbers = [body.get(name) for name in _NUMBERS]
    sound = set(body) == {*_TEXTS, *_NUMBERS} and all(
        isinstance(one, str) and len(one) <= 200 for one in texts.values()
    )
    if not sound or not all(type(one) is int and one >= 0 for one in numbers):
        raise Malformed("the body of a purge is what its preview gave", hint="see `guosuo evidence purge`")
    try:
        before = from_rfc3339(str(texts["before"]))
    except ValueError as error:
        raise Malformed("`before` is not a time with an offset from UTC") from error
    through = body["through"]
    assert isinstance(through, int)
    return Asked(before, str(texts["domain"]), str(texts["object"]), through)
