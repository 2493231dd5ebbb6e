"""Profiles that came into force after the cut, done again from the record: what was agreed on is not forgotten."""

from collections.abc import Callable, Mapping

from sqlmodel import Session

from backup.mirror import Record
from pki.models import ProfileSet


def _activated(session: Session, record: Record) -> bool:
    number = record.details["number"]
    if not isinstance(number, int):
        raise TypeError("`number` is no number")
    if session.get(ProfileSet, number) is None:
        digest, version, text, proposer, basis = (
            _text(record, name) for name in ("digest", "version", "text", "proposer", "basis")
        )
        session.add(
            ProfileSet(
                number=number,
                digest=digest,
                version=version,
                text=text,
                proposer=proposer,
                approver=record.actor,
                basis=basis,
                at=record.at,
            )
        )
    return True


def _text(record: Record, name: str) -> str:
    value = record.details[name]
    if not isinstance(value, str):
        raise TypeError(f"`{name}` is no text")
    return value


HANDLERS: Mapping[str, Callable[[Session, Record], bool]] = {"pki.profile.activated": _activated}
