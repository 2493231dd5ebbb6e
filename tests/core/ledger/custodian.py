"""For the tests of purges: a log with a register behind it, old records, and two people who agree."""

from datetime import timedelta

from sqlmodel import Session

from core.approval.acts import Body
from core.identity import PersonId
from core.ledger import evidence, purge, selection
from core.ledger.entry import Event, JsonValue
from core.ledger.models import EvidenceRow
from core.ledger.purge import Purger
from core.ledger.selection import Asked, Rule, Selection
from core.ledger.storage import Writer
from core.registry import accountable
from core.registry.accountable import RegisterOfRecord
from core.registry.credential import Credential
from tests.core.ledger.logs import Log

REGISTER, NUMBERS = RegisterOfRecord(), accountable.retention()
SERIAL = "0a" * 20
PROPOSER, APPROVER = PersonId("wei-auditor"), PersonId("lu-security")


def fill(
    log: Log,
    count: int = 300,
    *,
    days: int = 400,
    kind: str = "test.thing.made",
    domain: str = "outer-finance",
    **named: JsonValue,
) -> None:
    """Append records of so many days ago, and publish them."""
    with log.database.write() as session:
        for number in range(count):
            details: dict[str, JsonValue] = {"n": number, "secret": f"only-{number}", **named}
            event = Event(kind, "li-wen", f"thing:{number}", domain, details=details)
            evidence.append(session, event, at=log.clock.now() - timedelta(days=days))
    log.sequencer().run_once()


def rule(session: Session, log: Log) -> Rule:
    return selection.rule(session, REGISTER, NUMBERS, log.clock.now())


def look(log: Log, *, days: int = 200, **more: str) -> Selection:
    """Preview a purge of what is older than so many days."""
    with log.database.read() as session:
        asked = Asked(log.clock.now() - timedelta(days=days), **more)
        return selection.select_records(session, asked, rule(session, log))


def proposal(log: Log, seen: Selection, *, days: int = 200, **more: str) -> Body:
    """Return the body of the act as the preview gives it."""
    before = (log.clock.now() - timedelta(days=days)).isoformat()
    texts = {"before": before, "as_of": log.clock.now().isoformat(), "domain": "", "object": "", **more}
    return {**texts, "through": seen.through, "count": seen.count, "ranges": seen.digest}


def purger(log: Log, writer: Writer | None = None) -> Purger:
    return Purger(database=log.database, clock=log.clock, directory=log.directory, mirror=log.mirror, writer=writer)


def replace(session: Session, row: EvidenceRow) -> None:
    """Put a stub into a record's place, as a purge does."""
    purge.replace_row(session, row, "ab" * 16)


def enter_credential(log: Log, *, expired_days: int, serial: str = SERIAL) -> None:
    """Enter a certificate that lapsed so many days ago (negative: that many days from now)."""
    ends = log.clock.now() - timedelta(days=expired_days)
    with log.database.write() as session:
        session.add(
            Credential(
                serial=serial,
                issuer="issuing",
                holder_kind="person",
                holder="li-wen",
                domain="outer-finance",
                profile="person",
                certificate_sha256=serial.ljust(64, "0"),
                spki_sha256=serial.ljust(64, "1"),
                not_before=ends - timedelta(days=365),
                not_after=ends,
            )
        )
