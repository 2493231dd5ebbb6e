"""People of the sample province who hold all sorts of things."""

from datetime import datetime, timedelta

from sqlmodel import Session

from authz.holding import Access
from core.duty import duty
from core.duty.holding import Duties
from core.registry.credential import Credential
from core.registry.holding import Holders
from core.registry.tenure import Tenure
from monitor.holding import Watched
from pki.holding import Certificates

#: As ``deploy/wiring.py`` joins them, without a token.
HOLDERS = Holders((Certificates(), Access(), Watched(), Duties(), Tenure()))


def certify(session: Session, person: str, number: int, at: datetime, *, days: int = 365) -> str:
    """Enter a good certificate as issuing does."""
    serial = f"{number:040x}"
    session.add(
        Credential(
            serial=serial,
            issuer="issuing-ca",
            holder_kind="person",
            holder=person,
            domain="outer-finance",
            profile="person",
            certificate_sha256=f"{number:064x}",
            spki_sha256=f"{number:064x}",
            not_before=at - timedelta(days=1),
            not_after=at + timedelta(days=days),
        )
    )
    session.flush()
    return serial


def burden(session: Session, post: str, number: int, at: datetime) -> str:
    """Raise a duty of a post."""
    return duty.raise_duty(
        session,
        kind="alert",
        object_=f"alert:{number}",
        title=f"alert {number}",
        post=post,
        domain="outer-finance",
        due=None,
        at=at,
        actor="device:sensor-1",
    )
