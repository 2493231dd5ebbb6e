"""What is told of proposals: named field by field, so that a new column is not shown by accident."""

import json
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, JsonValue
from sqlmodel import Session

from core.approval import inbox, steps
from core.approval.acts import Acts
from core.approval.eligibility import Eligible
from core.approval.models import Approval
from core.clock import to_rfc3339


class Person(BaseModel):
    """Somebody who may decide, and as what."""

    person: str
    name: str
    capacity: str


class PreviewAnswer(BaseModel):
    """What proposing would mean."""

    act: str
    title: str
    object: str
    domain: str
    digest: str
    consequences: list[str]
    needed: int
    hours: int
    approvers: list[Person]


class Item(BaseModel):
    """A proposal in a list; ``waits_for`` is who could decide on it now."""

    id: str
    act: str
    title: str
    object: str
    domain: str
    state: str
    revision: int
    proposer: str
    proposed_at: str
    expires: str
    waits_for: list[Person]


class ItemList(BaseModel):
    """Proposals."""

    items: list[Item]


class Step(BaseModel):
    """What somebody did."""

    step: str
    revision: int
    person: str
    comment: str
    at: str


class Shown(Item):
    """A proposal whole: what is proposed, what would happen now, and what was done so far."""

    body: dict[str, JsonValue]
    reason: str
    digest: str
    needed: int
    consequences: list[str]
    result: str
    history: list[Step]


def people(found: Sequence[Eligible]) -> list[Person]:
    """Return people as they are shown."""
    return [Person(person=one.person, name=one.name, capacity=one.capacity) for one in found]


def item(session: Session, acts: Acts, row: Approval, at: datetime) -> Item:
    """Return a proposal as a line of a list."""
    ruling, _act = acts.get(row.act)
    return Item(
        id=row.id,
        act=row.act,
        title=f"{ruling.title.zh} · {ruling.title.en}",
        object=row.object,
        domain=row.domain,
        state=steps.state_at(row, at),
        revision=row.revision,
        proposer=row.proposer,
        proposed_at=to_rfc3339(row.proposed_at),
        expires=to_rfc3339(row.expires),
        waits_for=people(inbox.deciders(session, acts, row, at)),
    )


def shown(session: Session, acts: Acts, row: Approval, at: datetime) -> Shown:
    """Return a proposal whole."""
    revision = steps.current(session, row)
    done = [
        Step(step=one.step, revision=one.revision, person=one.person, comment=one.comment, at=to_rfc3339(one.at))
        for one in inbox.history(session, row)
    ]
    return Shown(
        **dict(item(session, acts, row, at)),
        body=json.loads(revision.body),
        reason=revision.reason,
        digest=revision.digest,
        needed=row.needed,
        consequences=inbox.consequences(session, acts, row, at),
        result=row.result,
        history=done,
    )
