"""Carries sightings from the spool to the centre: again and again until it has acknowledged each."""

import time
from collections.abc import Callable

from core.errors import Malformed, TrustError
from monitor.sighting import Blind, Centre, Leak
from monitor.spool import Spool

_BATCH = 100


class Courier:
    """Delivers in the order of the outbox. An empty report now and then tells the centre that the sensor is there."""

    def __init__(
        self,
        *,
        spool: Spool,
        centre: Centre,
        heartbeat: float = 10.0,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send at least every ``heartbeat`` seconds; ``elapsed`` tells seconds from any beginning."""
        self._spool = spool
        self._centre = centre
        self._heartbeat = heartbeat
        self._elapsed = elapsed
        self._last = float("-inf")

    def deliver(self) -> int:
        """Send one batch and drop it when the centre has it; return its size.

        Raises ``Unavailable`` (and any other refusal) when the centre did not take it; nothing is lost then.
        """
        entries = self._spool.unsent(_BATCH)
        if not entries and self._elapsed() - self._last < self._heartbeat:
            return 0
        sightings = [sighting for _number, sighting in entries]
        try:
            self._centre.report(sightings)
        except Malformed as error:
            return self._one_by_one(error)
        # A crash here sends them again; the centre knows their ids.
        with self._spool.transaction():
            self._spool.acknowledge([number for number, _sighting in entries])
        self._last = self._elapsed()
        return len(entries)

    def _one_by_one(self, batch_error: TrustError) -> int:
        """Find what the centre cannot read and set it aside, so that it does not stop what comes after."""
        entries = self._spool.unsent(_BATCH)
        if not entries:
            raise batch_error
        for number, sighting in entries:
            try:
                self._centre.report([sighting])
            except Malformed as error:
                self._set_aside(number, sighting, error)
                continue
            with self._spool.transaction():
                self._spool.acknowledge([number])
        self._last = self._elapsed()
        return len(entries)

    def _set_aside(self, number: int, sighting: Leak | Blind, error: Malformed) -> None:
        with self._spool.transaction():
            self._spool.set_aside(number, error.detail)
            self._spool.count("sighting-refused")
            if isinstance(sighting, Leak):
                # The centre does not learn what was seen, but that it was not told something.
                place = sighting.id.removeprefix(f"{sighting.sensor}:")
                window = Blind(
                    id=f"{sighting.sensor}:refused:{place}"[:160],
                    sensor=sighting.sensor,
                    at=sighting.at,
                    until=sighting.at,
                    cause="sighting-refused",
                )
                self._spool.send(window)
