"""A refusal that quotes a rule is itself evidence: who tried what, against which rule. Written once the act is undone.

The edge calls this after the request's own transaction has been rolled back, so nothing of the attempt stays but this.
"""

from dataclasses import dataclass

from core.clock import Clock
from core.database import Database
from core.errors import TrustError
from core.ledger import evidence
from core.ledger.entry import LONGEST, Event


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who asked for what: a person's id or ``device:NAME``, the path of the request, the request's identifier.

    ``serial`` is that of the certificate that was shown, where it could be read.
    """

    actor: str
    path: str
    request_id: str = ""
    serial: str = ""


def record(database: Database, clock: Clock, attempt: Attempt, error: TrustError) -> None:
    """Put a refused attempt on record, with the rule that it was refused by. Raises ``Unavailable``."""
    with database.write() as session:
        evidence.append(session, _event(attempt, error), at=clock.now())
    # A crash here leaves the record of a refusal that nobody was told: asking again is refused, and recorded, again.


def _event(attempt: Attempt, error: TrustError) -> Event:
    path = attempt.path.replace("\0", "")
    details = {
        "rule": error.rule,
        "reason": error.word,
        "path": path[:200],
        "request_id": attempt.request_id,
        "serial": attempt.serial,
    }
    about = (error.about or f"path:{path}")[: LONGEST["object"]]
    return Event("access.act.refused", attempt.actor[: LONGEST["actor"]], about, result="refused", details=details)
