"""``python -m tests.core.ledger.full_disk DIR``: a disk that is full at every step, in a mount namespace of its own.

Run by ``test_full_disk.py`` inside ``unshare``. Everything is on one small file system: the store, the log, its mirror.
Each round leaves a little more room than the one before, lets writers and sequencer run into the end of it, makes room
again, and holds everything against what was acknowledged.
"""

import subprocess
import sys
from pathlib import Path

from sqlmodel import SQLModel, select

from core.database import Database
from core.errors import Unavailable
from core.ledger.entry import Event
from core.ledger.group import GroupCommit
from core.ledger.models import EvidenceRow
from tests.clock import ManualClock
from tests.core.ledger.logs import Log

#: Octets left free at the beginning of each round.
ROOM = range(0, 192 * 1024, 8 * 1024)


def fill_up(filler: Path, room: int) -> None:
    """Take everything but ``room`` octets."""
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
        file.truncate(max(0, file.tell() // 4096 * 4096 - room))


def strike(log: Log, group: GroupCommit, acknowledged: set[str], refused: dict[str, int]) -> None:
    """Write and publish until something does not fit."""
    sequencer = log.sequencer()
    for _ in range(3):
        try:
            events = [Event("test.thing.made", "li", f"thing:{number}") for number in range(70)]
            acknowledged.update(group.append_all(events, at=log.clock.now()))
        except Unavailable:
            refused["writer"] += 1
        try:
            sequencer.run_once()
        except Unavailable:
            refused["sequencer"] += 1


def main() -> None:
    disk = Path(sys.argv[1])
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)], check=True)
    database = Database(f"sqlite:///{disk}/store.sqlite3")
    SQLModel.metadata.create_all(database.engine)
    log, group = Log(database, ManualClock(), disk), GroupCommit(database)
    acknowledged = {group.append(Event("test.thing.made", "li", "x:1"), at=log.clock.now())}
    refused = {"writer": 0, "sequencer": 0}
    log.sequencer().run_once()
    for room in ROOM:
        fill_up(disk / "filler", room)
        strike(log, group, acknowledged, refused)
        # What is shown is true even now.
        log.check(complete=False)
        (disk / "filler").unlink()
        log.sequencer().run_once()
        log.check()
        with database.read() as session:
            stored = set(session.exec(select(EvidenceRow.identifier)))
        assert acknowledged <= stored, f"{len(acknowledged - stored)} acknowledged records are lost"
    print(f"acknowledged {len(acknowledged)}, refused {refused}")
    assert min(refused.values()) > 3, "the disk was never full where it matters"


if __name__ == "__main__":
    main()
