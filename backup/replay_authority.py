"""Authorities that were agreed on after the cut, done again from the record: the worker makes what is not made yet."""

import json
from collections.abc import Callable, Mapping

from sqlmodel import Session

from backup import replay_status
from backup.mirror import Record
from pki import namespace, planning
from pki.models import AuthorityPlan
from pki.plan import Plan


def _planned(session: Session, record: Record) -> bool:
    number = replay_status.number(record, "number")
    if session.get(AuthorityPlan, number) is None:
        made = Plan(
            name=record.object.removeprefix("authority:"),
            parent=replay_status.text(record, "parent"),
            path_length=replay_status.number(record, "path_length"),
            algorithm=replay_status.text(record, "algorithm"),
            domains=tuple(json.loads(replay_status.text(record, "domains"))),
            space=namespace.parse(replay_status.text(record, "space")),
            root=replay_status.text(record, "root"),
            policies=tuple(json.loads(replay_status.text(record, "policies"))),
            days=replay_status.number(record, "days"),
        )
        people = replay_status.text(record, "proposer"), record.actor
        planning.enter(session, made, number, people=people, basis=replay_status.text(record, "basis"), at=record.at)
    return True


HANDLERS: Mapping[str, Callable[[Session, Record], bool]] = {"pki.authority.planned": _planned}
