"""The register's records done again: entries, holders of posts, signatures under agreements (``replay.py``)."""

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlmodel import Session

from backup.mirror import Record
from core.clock import from_rfc3339
from core.ledger.entry import JsonValue
from core.registry import appointment, restoring
from core.registry.models import AgreementSignature, Person, Post, PostHolding
from core.registry.province import KINDS
from core.registry.restoring import Said


def _text(record: Record, name: str) -> str:
    value = record.details[name]
    if not isinstance(value, str):
        raise TypeError(f"`{name}` is no text")
    return value


def _mapping(record: Record, name: str) -> Mapping[str, JsonValue]:
    value = record.details[name]
    if not isinstance(value, Mapping):
        raise TypeError(f"`{name}` has no fields")
    return value


def _since(record: Record) -> datetime:
    """Return from when on something holds: to the microsecond where the record says so."""
    return from_rfc3339(_text(record, "since")) if "since" in record.details else record.at


def _entry(session: Session, record: Record) -> bool:
    kind, _, identifier = record.object.partition(":")
    if "content" not in record.details:
        # Records before the evidence carried content.
        return False
    fields = record.details.get("fields", [])
    if not isinstance(fields, list):
        raise TypeError("`fields` is no list")
    said = Said(
        kind=kind,
        identifier=identifier,
        content=_mapping(record, "content"),
        fields=frozenset(str(field) for field in fields),
        digest=_text(record, "digest"),
        since=_since(record),
        actor=record.actor,
        record=record.identifier,
    )
    return restoring.restore(session, said)


def _ended(session: Session, record: Record) -> bool:
    kind, _, identifier = record.object.partition(":")
    return restoring.restore_end(session, kind, identifier, from_rfc3339(_text(record, "until")))


def _post_filled(session: Session, record: Record) -> bool:
    post, person = record.object.removeprefix("post:"), _text(record, "person")
    if session.get(Person, person) is None or session.get(Post, post) is None:
        return False
    held = appointment.current(session, post)
    if held is None or held.person != person:
        appointment.vacate(session, post, _since(record))
        held = PostHolding(post=post, person=person, since=_since(record))
    held.basis, held.actor, held.record = _text(record, "basis"), record.actor, record.identifier
    session.add(held)
    return True


def _agreement_signed(session: Session, record: Record) -> bool:
    made = AgreementSignature(
        agreement=record.object.removeprefix("agreement:"),
        side=_text(record, "side"),
        person=record.actor,
        digest=_text(record, "digest"),
        at=record.at,
        record=record.identifier,
    )
    return restoring.restore_signature(session, made, _text(record, "state"))


HANDLERS: Mapping[str, Callable[[Session, Record], bool]] = {
    **{f"registry.{kind}.{verb}": _entry for kind in KINDS for verb in ("entered", "changed")},
    **{f"registry.{kind}.ended": _ended for kind in KINDS},
    "registry.post.filled": _post_filled,
    "registry.agreement.signed": _agreement_signed,
}
