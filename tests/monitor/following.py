"""The sensor's half without its engine: reads an EVE file to its end and returns what would be reported."""

import os
from contextlib import closing
from pathlib import Path

from monitor.join import PATIENCE, Joiner
from monitor.reader import Reader
from monitor.sighting import Blind, Leak
from monitor.spool import Spool

NAME = "sensor-1"


def follow(eve: Path, spool_path: Path) -> list[Leak | Blind]:
    with closing(Spool(spool_path)) as spool:
        drain(eve, spool, now=1000.0)
        Joiner(name=NAME, spool=spool).release(now=1000.0 + PATIENCE)
        return [sighting for _number, sighting in spool.unsent(1000)]


def drain(eve: Path, spool: Spool, *, now: float, chunk: int = 1 << 20) -> None:
    joiner = Joiner(name=NAME, spool=spool)
    with Reader(eve, bookmark=spool.bookmark(), random=os.urandom, chunk=chunk) as reader:
        while True:
            batch = reader.read()
            if not (batch.bookmark or batch.lost):
                return
            joiner.take(batch, now=now)
