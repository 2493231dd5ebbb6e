"""The sample province in a store, and requests that passed its gateway."""

from datetime import datetime, timedelta
from pathlib import Path

from sqlmodel import Session

from authz.models import GatewayRequest
from core.database import Database
from core.registry.models import SecurityDomain
from monitor.sighting import Leak
from tests.people import enter_province

SAMPLE = Path(__file__).parents[2] / "deploy/province/beichen.yaml"
SERIALS = {"li-wen": "01" * 20, "sun-yue": "02" * 20}


def load(database: Database, at: datetime) -> None:
    with database.write() as session:
        enter_province(session, at - timedelta(days=30), actor="test")


def set_ceiling(database: Database, domain: str, ceiling: int) -> None:
    """Change a domain's ceiling, as a new version of the register would."""
    with database.write() as session:
        row = session.get_one(SecurityDomain, domain)
        row.ceiling = int(ceiling)
        session.add(row)


def request_id(number: int) -> str:
    return f"{number:032x}"


def passed(session: Session, number: int, holder: str, at: datetime, **more: object) -> GatewayRequest:
    """Enter a request that the gateway let through."""
    values: dict[str, object] = {
        "request_id": request_id(number),
        "at": at,
        "gateway": "gw-1",
        "address": "10.30.0.2",
        "serial": SERIALS[holder],
        "person": holder,
        "application": "fin-budget-app",
        "system": "fin-budget",
        "domain": "outer-finance",
        "action": "read",
        "resource": "/budget/marked",
        "allowed": True,
        "reason": "permitted",
    }
    row = GatewayRequest(**{**values, **more})
    session.add(row)
    session.flush()
    return row


def leak(number: int, person: str, at: datetime, **more: object) -> Leak:
    """Return what a sensor says about the response to a request."""
    values: dict[str, object] = {
        "id": f"sensor-1:00ff:{number}",
        "sensor": "sensor-1",
        "at": at,
        "last": at,
        "sid": 1_000_000_001,
        "domain": "outer-finance",
        "marking": "机密★10年",
        "excerpt": "…机密★10年…",
        "encoding": "utf-8",
        "transaction": f"{number}:0",
        "request_id": request_id(number),
        "serial": SERIALS[person],
        "source": "10.20.0.10",
        "destination": "10.20.0.1",
    }
    return Leak.model_validate({**values, **more})
