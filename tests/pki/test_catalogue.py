"""Issued certificates are found a part at a time, each once, whatever was issued at the same second."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from core.errors import NotFound
from pki import catalogue, revocation
from pki.catalogue import Wanted
from tests.pki.conftest import Pki


def serials(pki: Pki, wanted: Wanted, limit: int = 1000) -> list[str]:
    found, after = [], ""
    with pki.database.read() as session:
        while True:
            part = catalogue.find(session, wanted, after=after, limit=limit)
            assert len(part.rows) <= limit
            found += [row.serial for row in part.rows]
            if not part.rest:
                return found
            after = part.rest


def test_every_certificate_is_found_once_in_the_order_of_time(pki: Pki) -> None:
    made = []
    for hours, people in enumerate((("li-wen", "sun-yue", "wu-ops"), ("li-wen",), ("li-wen", "sun-yue"))):
        made += sorted(pki.issue(holder=who).serial for who in people)
        pki.clock.advance(hours=hours + 1)
    for limit in (1, 2, 3, 5, 6, 7):
        assert serials(pki, Wanted(), limit) == made
    mine = serials(pki, Wanted(holder="li-wen"))
    assert len(mine) == 3
    assert mine == [one for one in made if one in mine]
    assert serials(pki, Wanted(holder="li-wen"), 1) == mine


def test_they_are_found_by_what_they_are(pki: Pki) -> None:
    first, second = pki.issue(holder="li-wen"), pki.issue(holder="sun-yue")
    with pki.database.write() as session:
        revocation.revoke(session, first.serial, reason="superseded", actor="lu-security", at=pki.clock.now())
    assert serials(pki, Wanted(state="revoked")) == [first.serial]
    assert serials(pki, Wanted(state="good")) == [second.serial]
    assert serials(pki, Wanted(profile="person")) == sorted([first.serial, second.serial])
    assert serials(pki, Wanted(profile="application")) == []
    assert serials(pki, Wanted(domain="outer-finance", holder="nobody")) == []
    with pki.database.read() as session:
        ends = catalogue.find(session, Wanted(holder="li-wen"), after="", limit=1).rows[0].not_after
    assert serials(pki, Wanted(holder="li-wen", before=ends)) == []
    assert serials(pki, Wanted(holder="li-wen", before=ends + timedelta(seconds=1))) == [first.serial]


@given(after=some.text(min_size=1, max_size=80))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_nobody_goes_on_behind_what_is_not_there(pki: Pki, after: str) -> None:
    with pki.database.read() as session, pytest.raises(NotFound):
        catalogue.find(session, Wanted(), after=after.replace("\0", "0"), limit=1)
