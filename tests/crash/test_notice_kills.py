"""Five kills at every crash point of the outbox: whatever was written down arrives, at most once more than needed."""

import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.crash.fuse import Fuse
from tests.crash.notice_scenarios import NOTICE_SCENARIOS, prepare, repair, work
from tests.crash.nursery import Child
from tests.crash.points import find_points
from tests.services import mail

KILLS = 5
POINTS = find_points()


@pytest.mark.parametrize("name", NOTICE_SCENARIOS)
def test_kills(name: str, tmp_path: Path) -> None:
    for number in range(KILLS):
        hit = number % NOTICE_SCENARIOS[name] + 1
        url = f"sqlite:///{tmp_path}/{number}.sqlite3"
        prepare(url)
        with mail.running() as relay:
            child = Child(work, url, relay.port, fuse=Fuse(POINTS[name], hit))
            assert child.wait() == -signal.SIGKILL, f"{name} was not reached {hit} times"
            found = repair(url, relay.port)
            told = Counter(one["message-id"] for one in relay.mails if "test" not in str(one["subject"]))
        assert {one.state for one in found} == {"sent"}
        assert set(told) == {f"<{one.id}@site.example>" for one in found}
        assert sum(told.values()) <= len(told) + 1
