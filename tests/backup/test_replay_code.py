"""A restore opens nothing again that was used, locked or withdrawn after the cut, and tells of no end twice."""

import json
import secrets
from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from core.clock import SystemClock
from core.identity import Serial
from core.ledger.models import EvidenceRow
from core.registry.credential import Credential
from pki import enrolment, expiry, onetime
from pki.enrolment import Invitation
from pki.errors import CodeRefused
from pki.models import EnrolmentCode
from pki.redemption import Redemption
from tests.backup.realm import Realm
from tests.backup.test_reconcile import Return, come_back  # noqa: F401  # a fixture
from tests.pki.test_enrolment import request

NOW = SystemClock().now


def invite(realm: Realm, holder: str) -> str:
    with realm.database.write() as session:
        asked = Invitation(holder, "person")
        _row, made = enrolment.open_code(session, asked, actor="wu-ops", at=NOW(), random=secrets.token_bytes)
    return made.text


def taking(realm: Realm) -> Redemption:
    return Redemption(
        database=realm.database, authority=realm.pki.authority, clock=SystemClock(), random=secrets.token_bytes
    )


def ending(realm: Realm, serial: Serial) -> datetime:
    with realm.database.read() as session:
        return session.get_one(Credential, serial).not_after


def guess(realm: Realm, code: str, times: int) -> None:
    for _ in range(times):
        with pytest.raises(CodeRefused):
            taking(realm).redeem(onetime.Code(code[:6], "0" * 17).text, request())


# The handlers write by the session alone: one store is enough.
@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_nothing_is_opened_or_told_again(realm: Realm, come_back: Return, kind: str) -> None:  # noqa: F811  # the fixture
    used, locked, withdrawn, tried, over = (
        invite(realm, one) for one in ("li-wen", "sun-yue", "chen-dev", "chu-dev", "wu-ops")
    )
    end = ending(realm, realm.issue())
    realm.point()
    with realm.database.write() as session:
        expiry.tell(session, end - timedelta(days=29))
    taking(realm).redeem(used, request())
    guess(realm, locked, onetime.TRIES)
    guess(realm, tried, 2)
    with realm.database.write() as session:
        enrolment.withdraw(session, withdrawn[:6], actor="zhao-ra", at=NOW())
    later = invite(realm, "wu-ops")
    second = come_back()
    with second.database.write() as session:
        # Told before, and not again.
        expiry.tell(session, end - timedelta(days=28))
        told = session.exec(select(EvidenceRow).where(EvidenceRow.type.like("duty.duty.%"))).all()  # type: ignore[attr-defined]
        about = [json.loads(row.content)["details"]["about"] for row in told]
        assert len(about) == len(set(about)) > 0
        rows = {row.id: (row.state, row.tries) for row in session.exec(select(EnrolmentCode))}
    assert rows == {
        used[:6]: ("used", 0),
        locked[:6]: ("locked", onetime.TRIES),
        withdrawn[:6]: ("withdrawn", 0),
        tried[:6]: ("open", 2),
        # Another took its place, and that one is known by name alone: it opens nothing, and is named.
        over[:6]: ("withdrawn", 0),
    }
    left = second.told["not_rebuilt"]
    assert isinstance(left, dict)
    assert left["pki.code.opened"].startswith("1: ")
    again = Redemption(
        database=second.database, authority=realm.pki.authority, clock=SystemClock(), random=secrets.token_bytes
    )
    for code in (used, locked, withdrawn, later):
        with pytest.raises(CodeRefused):
            again.redeem(code, request())
