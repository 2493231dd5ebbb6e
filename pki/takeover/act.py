"""The acts ``pki.takeover.carry`` (body ``digest``, ``basis``) and ``pki.takeover.finish`` (``authority``, ``number``,
``basis``): what an authority elsewhere issued is believed here from then on, and so two people agree on exactly that.
"""

from datetime import datetime

from sqlmodel import Session, func, select

from core.approval.acts import Act, Body, Concern
from core.clock import to_rfc3339
from core.errors import Conflict, Malformed
from core.identity import PersonId
from core.ledger import evidence
from core.signed import Json
from pki.models import CrlPublication
from pki.takeover import events, staging
from pki.takeover.authority import JUMP
from pki.takeover.errors import StalePlan, TakeoverOver, UnknownTakeover
from pki.takeover.judgement import CHANGES, ENTERS, KNOWN, LEFT, LISTED
from pki.takeover.models import Takeover, TakeoverPlan

CARRY, FINISH = "pki.takeover.carry", "pki.takeover.finish"


def _carry_concern(session: Session, body: Body, at: datetime) -> Concern:  # noqa: ARG001  # the form of every act
    row = _plan(session, body)
    return Concern(object=f"authority:{row.authority}")


def _carry_consequences(session: Session, body: Body, at: datetime) -> list[str]:
    row = _sealed(session, body, at)
    found, header = staging.counts(session, row.digest), staging.header_of(row)
    known = session.get(Takeover, row.authority)
    told = [
        f"plan {row.digest}: {row.total} certificates of `{row.authority}`",
        f"{found[ENTERS]} come over with their holders, {found[LISTED]} more stand on its lists",
        f"{found[CHANGES]} change, {found[KNOWN]} are here as they are there, {found[LEFT]} stay behind",
        f"the old authority's lists bear numbers up to {header.number}; ours go on behind {header.number + JUMP}",
        f"ours are at /crl/{row.authority}/0.crl; who asks the old address sees the old lists, until it leads here",
    ]
    if known is None:
        told += [
            f"the key `{header.key}` in the token signs as `{row.authority}`: this cannot be undone",
            f"it issues for {', '.join(header.domains) or 'no domain'} from then on",
        ]
    return told


def _carry_out(session: Session, body: Body, proposer: PersonId, approver: PersonId, at: datetime) -> dict[str, Json]:
    row = _sealed(session, body, at)
    # Whoever proposed it answers for it, whoever brought the parts.
    row.state, row.actor, row.approver, row.basis = "open", proposer, approver, _basis(body)
    session.add(row)
    evidence.append(session, events.agreed(row, proposer), at=at)
    return {"authority": row.authority, "plan": row.digest, "total": row.total}


def _finish_concern(session: Session, body: Body, at: datetime) -> Concern:  # noqa: ARG001  # the form of every act
    return Concern(object=f"authority:{_taken(session, body)[0].authority}")


def _finish_consequences(session: Session, body: Body, at: datetime) -> list[str]:  # noqa: ARG001  # the form of every act
    of, number = _taken(session, body)
    return [
        f"the old authority's last list bore the number {number}; ours bear {_highest(session, of.authority)} and more",
        f"taken over since {to_rfc3339(of.begun_at)}; nothing that it does from now on comes over any more",
        f"the old addresses must lead to /crl/{of.authority}/0.crl and /ocsp/{of.authority} by now",
    ]


def _finish(session: Session, body: Body, proposer: PersonId, approver: PersonId, at: datetime) -> dict[str, Json]:
    of, number = _taken(session, body)
    of.state, of.number, of.finished_at = "finished", number, at
    session.add(of)
    evidence.append(session, events.finished(of, proposer, _basis(body), actor=approver), at=at)
    return {"authority": of.authority, "number": number}


ACTS = (
    Act(name=CARRY, concern=_carry_concern, consequences=_carry_consequences, carry_out=_carry_out),
    Act(name=FINISH, concern=_finish_concern, consequences=_finish_consequences, carry_out=_finish),
)


def _plan(session: Session, body: Body) -> TakeoverPlan:
    if set(body) != {"digest", "basis"} or not isinstance(body["digest"], str):
        raise Malformed("the body has `digest` and `basis`, and nothing else")
    _basis(body)
    return staging.find(session, body["digest"])


def _sealed(session: Session, body: Body, at: datetime) -> TakeoverPlan:
    """Return a plan that may be carried out now."""
    row = _plan(session, body)
    if row.state != "sealed":
        told = {"staged": "did not come in whole yet"}.get(row.state, "was agreed on before")
        raise Conflict(f"the plan {row.digest[:16]} {told}", hint="see `guosuo takeover list`")
    of_same = select(TakeoverPlan).where(TakeoverPlan.authority == row.authority, TakeoverPlan.state == "open")
    if session.exec(of_same).first() is not None:
        raise Conflict(f"another plan for `{row.authority}` is being carried out", hint="wait for its end")
    staging.check(session, staging.header_of(row), at)
    return row


def _taken(session: Session, body: Body) -> tuple[Takeover, int]:
    name, number = body.get("authority"), body.get("number")
    if set(body) != {"authority", "number", "basis"} or not isinstance(name, str):
        raise Malformed("the body has `authority`, `number` and `basis`, and nothing else")
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise Malformed("`number` is that of the old authority's last list")
    _basis(body)
    of = session.get(Takeover, name)
    if of is None:
        raise UnknownTakeover(f"`{name[:40]}` was not taken over", hint="see `guosuo takeover list`")
    if of.state != "parallel":
        raise TakeoverOver(f"`{name}` is ours alone already")
    open_ = select(TakeoverPlan).where(TakeoverPlan.authority == name, TakeoverPlan.state == "open")
    if session.exec(open_).first() is not None:
        raise Conflict(f"a plan for `{name}` is being carried out", hint="wait for its end")
    if number < of.number:
        raise StalePlan(f"its lists had the number {of.number} already, not {number}")
    if number >= _highest(session, name):
        detail = f"ours have reached {_highest(session, name)} only: a client that saw number {number} would keep to it"
        raise Conflict(detail, hint="bring over its last list with `guosuo takeover update`")
    return of, number


def _highest(session: Session, name: str) -> int:
    return session.exec(select(func.max(CrlPublication.number)).where(CrlPublication.issuer == name)).one() or 0


def _basis(body: Body) -> str:
    basis = body["basis"]
    if not isinstance(basis, str) or not basis.strip() or len(basis) > 400 or not basis.isprintable():
        raise Malformed("`basis` says in one line why")
    return basis
