"""What was admitted is judged once more where its outcome is written: the register moved on while the token signed."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session, SQLModel, col, or_, select

from core.errors import TrustError
from core.identity import Serial, SubjectKind
from core.registry.credential import Credential, CredentialState
from core.registry.models import Device, Person, SecurityDomain, System
from pki import admission, authorisation, holder
from pki.errors import Lapsed
from pki.models import IssuanceIntent
from pki.names import Holder
from pki.planned import Planned


def refuse(session: Session, planned: Sequence[Planned], at: datetime) -> dict[Serial, TrustError]:
    """Return, by serial number, what may not be issued any more.

    What it looked at stays so until the caller's transaction ends. An intention that is refused stays open: it is given
    up and revoked as after a crash.
    """
    _wait_for_keys(session, planned)
    refused: dict[Serial, TrustError] = {}
    looks = (
        _given_up_or_covered(session, planned, at),
        _moved(session, planned),
        _unvouched(session, planned),
        _tainted(session, planned),
    )
    for look in looks:
        for serial, error in look:
            refused.setdefault(serial, error)
    return refused


def _given_up_or_covered(
    session: Session, planned: Sequence[Planned], at: datetime
) -> Iterator[tuple[Serial, TrustError]]:
    serials = [one.serial for one in planned]
    once = [one.request for one in planned if one.since is not None]
    # All of one request's, whosever: of two at once the second sees what the first has made.
    statement = select(IssuanceIntent).where(
        or_(col(IssuanceIntent.serial).in_(serials), col(IssuanceIntent.request).in_(once))
    )
    held = session.exec(
        statement.order_by(IssuanceIntent.serial).with_for_update().execution_options(populate_existing=True)
    ).all()
    still_open = {row.serial for row in held if row.state == "open"}
    made = {row.serial: row for row in held if row.state == "issued"}
    good = select(Credential.serial).where(
        col(Credential.serial).in_(list(made)),
        Credential.state == CredentialState.GOOD.value,
        Credential.not_after > at,
    )
    # An empty list would be looked for among all.
    covering = [made[serial] for serial in session.exec(good)] if made else []
    for one in planned:
        if one.serial not in still_open:
            # Somebody took us for dead and gave the serial number up; it is revoked, and stays so.
            yield one.serial, Lapsed("issuing took so long that it was given up", hint="ask again")
        if one.since is not None and any(row.request == one.request and row.at >= one.since for row in covering):
            yield one.serial, Lapsed("the very same request was issued at the same time", hint="ask again to get it")


def _moved(session: Session, planned: Sequence[Planned]) -> Iterator[tuple[Serial, TrustError]]:
    """Whoever left, ended or moved in the meantime gets nothing."""
    whose = {(one.admitted.holder.kind, one.admitted.holder.identifier): one.admitted.holder for one in planned}
    gone: dict[tuple[str, str], TrustError] = {}
    for who, judged in sorted(whose.items()):
        try:
            _check_holder(session, judged)
        except TrustError as error:
            gone[who] = error
    for one in planned:
        who = one.admitted.holder.kind, one.admitted.holder.identifier
        if who in gone:
            yield one.serial, gone[who]


def _check_holder(session: Session, judged: Holder) -> None:
    kind = SubjectKind(judged.kind)
    _hold(session, kind, judged)
    if holder.find(session, kind, judged.identifier) != judged:
        raise Lapsed(f"the register says something else of `{judged.identifier}` by now", hint="ask again")


def _hold(session: Session, kind: SubjectKind, judged: Holder) -> None:
    """Let none of what a holder belongs to end, move or change before the caller's transaction ends.

    In the order in which the register writes them, so that nobody waits in a ring.
    """
    if kind is SubjectKind.BOOTSTRAP:
        return
    _share(session, SecurityDomain, judged.domain)
    if kind is SubjectKind.PERSON:
        _share(session, Person, judged.identifier)
        return
    device = session.get(Device, judged.identifier)
    if device is not None:
        _share(session, System, device.system)
        _share(session, Device, device.id)


def _share(session: Session, table: type[SQLModel], identifier: str) -> None:
    session.get(table, identifier, with_for_update={"read": True}, populate_existing=True)


def _wait_for_keys(session: Session, planned: Sequence[Planned]) -> None:
    """Wait until nobody else writes an outcome over the same keys, and so for the same requests (SQLite: one writer).

    There is no row yet that could be held. Before anything is read: what others have written is then seen.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    # The first 60 bits of each key's hash. In one order, so that nobody waits in a ring.
    numbers = sorted({int(admission.key_of(one.admitted.content)[:15], 16) for one in planned})
    taken = text("SELECT count(pg_advisory_xact_lock(n)) FROM unnest(CAST(:numbers AS bigint[])) AS n")
    session.connection().execute(taken, {"numbers": numbers})


def _unvouched(session: Session, planned: Sequence[Planned]) -> Iterator[tuple[Serial, TrustError]]:
    """A renewal whose present certificate was revoked or held in the meantime: whoever stole it gets no other."""
    for one in sorted((one for one in planned if one.renews), key=lambda one: one.renews):
        try:
            admission.check_renewable(session, one.renews, hold=True)
        except TrustError as error:
            yield one.serial, error


def _tainted(session: Session, planned: Sequence[Planned]) -> Iterator[tuple[Serial, TrustError]]:
    """A key that was revoked, or certified for somebody else, in the meantime."""
    uses = admission.uses(session, sorted({admission.key_of(one.admitted.content) for one in planned}), hold=True)
    for one in planned:
        try:
            authorisation.check_uses(one.admitted.holder, uses.get(admission.key_of(one.admitted.content), ()))
        except TrustError as error:
            yield one.serial, error
