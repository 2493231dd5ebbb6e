"""A restore forgets no time stamp: numbers stay taken, times never go back, a new generation stays in office."""

import secrets
from datetime import timedelta

from sqlmodel import Session, select

from core.clock import SystemClock
from core.database import Database
from pki.tsa import generation
from pki.tsa.authority import TimeStampAuthority
from pki.tsa.kernel import KernelSynchrony
from pki.tsa.models import TimeStamp
from pki.tsa.renewal import Renewal
from pki.tsa.settings import TsaSettings
from tests.backup.realm import Realm
from tests.backup.test_reconcile import Return, come_back  # noqa: F401  # a fixture
from tests.clock import ManualClock
from tests.pki.conftest import SETTINGS
from tests.pki.tsa.conftest import failure, info, question


def authority(realm: Realm, database: Database, clock: SystemClock | ManualClock) -> TimeStampAuthority:
    return TimeStampAuthority(
        database=database,
        keys=realm.signer.client,
        clock=clock,
        random=secrets.token_bytes,
        settings=TsaSettings(),
        synchrony=KernelSynchrony(),
    )


def stamps(session: Session) -> list[dict[str, object]]:
    return [row.model_dump() for row in session.exec(select(TimeStamp).order_by(TimeStamp.serial))]


def test_stamps_after_the_cut_are_known(realm: Realm, come_back: Return) -> None:  # noqa: F811  # the fixture
    ours = authority(realm, realm.database, SystemClock())
    assert info(ours.respond(question()))
    realm.point()
    asked = {"database": realm.database, "keys": realm.signer.client, "clock": SystemClock()}
    assert Renewal(**asked, random=secrets.token_bytes, settings=SETTINGS).run(force=True)
    newest = info(ours.respond(question(b"h" * 64, "sha512")))["gen_time"].native
    with realm.database.read() as session:
        before = stamps(session)
    restored = come_back()
    with restored.database.read() as session:
        assert stamps(session) == before
        assert len(before) == 2
        assert generation.current(session, SystemClock().now()).name == "tsa-2"
    back = authority(realm, restored.database, ManualClock(newest - timedelta(seconds=30)))
    assert failure(back.respond(question())) == "time_not_available"
    later = info(authority(realm, restored.database, SystemClock()).respond(question()))
    assert later["gen_time"].native > newest
    assert int(before[0]["serial"], 16) != later["serial_number"].native  # type: ignore[call-overload]  # a text
