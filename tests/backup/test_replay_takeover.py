"""A take-over after a restore: what it brought after the cut is there again; what still waited goes on, or is named."""

import json
from collections.abc import Sequence

import pytest
from sqlmodel import SQLModel, col, delete, select

from backup.mirror import Record
from backup.replay import Replay
from core.ledger.models import EvidenceRow
from core.registry.credential import Credential
from pki.models import (
    Authority,
    AuthorityPlan,
    Certificate,
    CertificateHold,
    CrlList,
    CrlPublication,
    Revocation,
    RevocationChange,
)
from pki.takeover.models import Takeover, TakeoverItem, TakeoverPlan
from tests.pki.takeover.conftest import World, old_template, old_token, sqlite_world
from tests.pki.takeover.test_takeover import NAME, finish, number_of, ours, theirs, told

__all__ = ["old_template", "old_token", "sqlite_world"]

OF_IT = (Certificate, CertificateHold, Credential, CrlList, CrlPublication, Revocation, RevocationChange)


def records(world: World) -> list[Record]:
    with world.pki.database.read() as session:
        rows = session.exec(select(EvidenceRow).order_by(col(EvidenceRow.row))).all()
    return [
        Record(
            sequence=number,
            content=row.content,
            identifier=row.identifier,
            at=row.at,
            type=row.type,
            actor=row.actor,
            object=row.object,
            domain=row.domain,
            result=row.result,
            details=json.loads(row.content)["details"],
        )
        for number, row in enumerate(rows)
        if row.type.startswith("pki.takeover.")
    ]


def seen(world: World) -> list[Sequence[object]]:
    """What stands in the store of the authority, but for what it published and its changes' places."""
    tables = (Certificate, CertificateHold, Credential, Revocation)
    with world.pki.database.read() as session:
        found = [sorted(str(row.model_dump()) for row in session.exec(_of(one))) for one in tables]
        found += [[str(session.get(one, NAME)) for one in (Authority, Takeover)]]
        plans = session.exec(select(AuthorityPlan).where(AuthorityPlan.name == NAME))
        return [*found, [str(row.model_dump()) for row in plans]]


def _of(table: type[SQLModel]):  # type: ignore[no-untyped-def]
    return select(table).where(table.issuer == NAME)  # type: ignore[attr-defined]


def forget(world: World) -> None:
    """Put the store back to what it was before."""
    with world.pki.database.write() as session:
        for table in OF_IT:
            session.connection().execute(delete(table).where(table.issuer == NAME))
        for table in (Takeover, TakeoverItem, TakeoverPlan):
            session.connection().execute(delete(table))
        session.connection().execute(delete(AuthorityPlan).where(AuthorityPlan.name == NAME))
        session.connection().execute(delete(Authority).where(Authority.name.in_([NAME, "ocsp-legacy"])))


def test_what_was_taken_over_is_there_again(sqlite_world: World) -> None:
    world = sqlite_world
    world.take_over()
    world.old.list()
    world.agree(world.bring(world.read()))
    world.work_off()
    finish(world, number_of(theirs(world)))
    before, number, told_records = seen(world), number_of(ours(world)), records(world)
    kinds = {"agreed", "begun", "concluded", "entered", "finished", "held", "moved", "revoked", "staged"}
    assert {record.type.removeprefix("pki.takeover.") for record in told_records} == kinds
    forget(world)
    with world.pki.database.write() as session:
        for _ in range(2):
            work = Replay(session)
            for record in told_records:
                work.apply(record)
            # The folder is in no record: what was agreed on and not carried out would have to be brought again.
            assert {record.type for record in work.left} == {"pki.takeover.agreed"}
    assert seen(world) == before
    world.pki.publisher.refresh()
    assert number_of(ours(world)) >= number
    assert told(ours(world)) == told(theirs(world))


@pytest.mark.parametrize("steps", [0, 1])
def test_a_plan_of_the_cut_goes_on(sqlite_world: World, steps: int) -> None:
    """Agreed on after the cut, with the parts in it."""
    world = sqlite_world
    digest = world.bring(world.read())
    with world.pki.database.read() as session:
        kept = [row.model_dump() for row in session.exec(select(TakeoverItem))]
        plan = session.get_one(TakeoverPlan, digest).model_dump()
    world.agree(digest)
    if steps:
        world.work_off()
    told_records = records(world)
    forget(world)
    with world.pki.database.write() as session:
        session.add(TakeoverPlan(**plan))
        for row in kept:
            session.add(TakeoverItem(**row))
        session.flush()
        work = Replay(session)
        for record in told_records:
            work.apply(record)
        assert work.left == []
    world.work_off()
    with world.pki.database.read() as session:
        assert session.get_one(TakeoverPlan, digest).state == "done"
    assert told(ours(world)) == told(theirs(world))
