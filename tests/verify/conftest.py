from dataclasses import dataclass
from pathlib import Path

import pytest

from core.database import Database
from tests.clock import ManualClock
from tests.core.ledger.logs import Log
from tests.verify import bundles, story
from tests.verify.bundles import Members


@dataclass(frozen=True)
class Sound:
    """A bundle in which everything holds; nobody writes to it."""

    path: Path
    fingerprint: str
    members: Members
    folder: Path


def filler(count: int) -> list[story.Event]:
    li = story.Issue(700, "chen-jie")
    return [li.intended(), li.issued(), *(story.decision(li, 1000 + number) for number in range(count))]


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    """Small: one incomplete tile."""
    folder = tmp_path_factory.mktemp("sound")
    path, fingerprint = bundles.told(folder, story.whole())
    return Sound(path, fingerprint, bundles.read(path), folder)


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    """Larger than two tiles, so that there is a level above the leaves."""
    folder = tmp_path_factory.mktemp("wide")
    path, fingerprint = bundles.told(folder, [*story.whole(), *filler(600)], step=40)
    return Sound(path, fingerprint, bundles.read(path), folder)


@pytest.fixture
def log(database: Database, clock: ManualClock, tmp_path: Path) -> Log:
    """An empty log, on SQLite and on PostgreSQL."""
    return Log(database, clock, tmp_path)
