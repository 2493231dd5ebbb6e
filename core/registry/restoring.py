"""From the evidence back into the register: what a record of a changed entry says, done again exactly as it was.

What is personal is not in the evidence: a person's other fields are rebuilt, and who was entered anew is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from core.ledger.entry import JsonValue
from core.registry import appointment, change, content, entering, form, history
from core.registry.change import Hand
from core.registry.form import Value
from core.registry.models import Agreement, AgreementSignature, Person, RegisterVersion
from core.registry.province import KINDS, PersonEntry, values


@dataclass(frozen=True, slots=True)
class Said:
    """What a record says of an entry; ``fields`` are those that changed, empty for an entry that was new."""

    kind: str
    identifier: str
    content: Mapping[str, JsonValue]
    fields: frozenset[str]
    digest: str
    since: datetime
    actor: str
    record: str


def restore(session: Session, said: Said) -> bool:
    """Enter what was said; return whether that is all of it. Harmless when it is there already.

    Raises ``KeyError``, ``TypeError``, ``ValueError`` for what no record can say.
    """
    if any(row.record == said.record for row in history.versions(session, said.kind, said.identifier)):
        return True
    kept = _kept(session, said)
    if kept is None:
        return False
    said_values = {name: form.unpack(value) for name, value in said.content.items()}
    entry = KINDS[said.kind].make({**kept, **said_values})
    entering.enter(session, said.kind, entry)
    entering.hang(session, entry)
    by = Hand(said.actor, said.since)
    if isinstance(entry, PersonEntry):
        change.set_roles(session, entry, by)
    row = history.write(session, said.kind, entry, actor=said.actor, at=said.since)
    if not row.record:
        row.digest, row.record = said.digest, said.record
        row.salt = ""
        session.add(row)
    return not said.fields & content.personal(said.kind)


def restore_end(session: Session, kind: str, identifier: str, until: datetime) -> bool:
    """End an entry as of ``until``; return whether it was there."""
    if session.get(entering.TABLES[kind], identifier) is None:
        return False
    if (row := history.open_version(session, kind, identifier)) is not None:
        history.close(session, row, until)
    if kind == "post":
        appointment.vacate(session, identifier, until)
    entering.end(session, kind, identifier, until)
    return True


def restore_signature(session: Session, signature: AgreementSignature, state: str) -> bool:
    """Enter a signature under an agreement; return whether the agreement and the person are there."""
    row = session.get(Agreement, signature.agreement)
    if row is None or session.get(Person, signature.person) is None:
        return False
    row.state = state
    if state == "signed":
        row.digest = signature.digest
    session.add(row)
    session.add(signature)
    session.flush()
    return True


def _kept(session: Session, said: Said) -> Mapping[str, Value] | None:
    """Return the fields that the evidence does not carry as the register still has them; nothing when it has not."""
    personal = content.personal(said.kind)
    if not personal:
        return {}
    row: RegisterVersion | None = history.open_version(session, said.kind, said.identifier)
    if row is None:
        return None
    before = content.read(said.kind, row.content, {"roles": ()})
    return {name: value for name, value in values(before).items() if name in personal}
