"""One console for all tests: each works on requests and certificates of its own."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.database import Database
from tests.clock import ManualClock
from tests.console import house
from tests.console.house import Console
from tests.services.softhsm import Running


@pytest.fixture(scope="package")
def console(tables_file: Path, signer_process: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("console")
    shutil.copy(tables_file, folder / "store.sqlite3")
    with (
        closing(Database(f"sqlite:///{folder}/store.sqlite3")) as database,
        house.built(database, ManualClock(), signer_process, folder) as made,
    ):
        yield made
