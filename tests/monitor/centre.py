"""The centre without the way to it: what the endpoint does, in a transaction of its own."""

from core.clock import Clock
from core.database import Database
from monitor import coverage, finding, plan
from monitor.sighting import Blind, Leak, Plan


class DirectCentre:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def report(self, sightings: list[Leak | Blind]) -> None:
        now = self._clock.now()
        with self._database.write() as session:
            coverage.hear(session, "sensor-1", now=now)
            for sighting in sightings:
                if isinstance(sighting, Leak):
                    finding.enter(session, sighting, now=now)
                else:
                    coverage.enter(session, sighting, now=now)

    def plan(self) -> Plan:
        with self._database.read() as session:
            return plan.current(session)
