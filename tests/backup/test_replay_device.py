"""A restore lets nobody use an initial secret twice, and makes no other secret of one that was handed out."""

import secrets
from datetime import timedelta

from sqlmodel import Session, select

from core.clock import SystemClock
from pki.device import secret
from pki.device.models import DeviceSecret
from pki.device.secret import Agreed
from tests.backup.realm import Realm
from tests.backup.test_reconcile import Return, come_back  # noqa: F401  # a fixture

NOW = SystemClock().now


def make(session: Session) -> str:
    agreed = Agreed(("fin-budget.fin.beichen.example",), ("10.20.0.9",), timedelta(hours=1))
    more = {"actor": "zhao-ra", "at": NOW(), "random": secrets.token_bytes}
    return secret.make(session, secret.find_holder(session, "fin-budget"), agreed, **more).id  # type: ignore[arg-type]


def kept(session: Session) -> dict[str, tuple[str, str, str]]:
    rows = session.exec(select(DeviceSecret)).all()
    return {row.id: (row.state, row.request, secret.value_of(row, bytes(32))) for row in rows}


def test_what_was_used_or_withdrawn_after_the_cut_stays_so(realm: Realm, come_back: Return) -> None:  # noqa: F811
    with realm.database.write() as session:
        used, withdrawn, refused = make(session), make(session), make(session)
    realm.point()
    with realm.database.write() as session:
        later = make(session)
        secret.take(session, used, "ab" * 32, NOW())
        secret.withdraw(session, withdrawn, actor="lu-security", at=NOW())
        secret.take(session, refused, "cd" * 32, NOW())
        secret.give_back(session, refused, "cd" * 32, NOW())
        secret.take(session, later, "ef" * 32, NOW())
        make(session)
        session.flush()
        before = kept(session)
    restored = come_back()
    with restored.database.read() as session:
        assert kept(session) == before
        assert {before[one][0] for one in (used, later)} == {"used"}
        assert (before[withdrawn][0], before[refused][0]) == ("withdrawn", "open")
