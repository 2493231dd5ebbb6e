"""The sensor's main loop: plan from the centre, Suricata on the wire, EVE to sightings, sightings to the centre.

Three threads, each with its own connection to the spool: this one watches over the engine and the plan, one follows
the EVE file, one delivers. None waits for another: when the centre is away the border is watched all the same.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from core.clock import Clock
from core.errors import TrustError, Unavailable
from monitor import configuration, lock
from monitor.courier import Courier
from monitor.errors import EngineUnavailable
from monitor.join import Joiner
from monitor.reader import Reader
from monitor.sensor import Suricata
from monitor.settings import SensorSettings
from monitor.sighting import Centre, Plan
from monitor.spool import Spool
from monitor.watch import Watch

#: File that is there while the sensor watches.
READY = "ready"

_LOCK = "lock"
_SPOOL = "spool.sqlite3"
_PLAN = "plan"
_PAUSE = 0.05
_PRUNE_EVERY = 60
_SLOWEST = 5.0


def run(
    settings: SensorSettings,
    centre: Centre,
    clock: Clock,
    stop: threading.Event,
    *,
    random: Callable[[int], bytes],
) -> None:
    """Watch until ``stop`` is set; call it in the main thread, which Suricata's life hangs on.

    Raises ``Unavailable`` when there is neither a centre nor a plan from before, ``EngineUnavailable`` when Suricata
    does not start, ``Conflict`` when another sensor runs in the directory, and whatever ended a thread.
    """
    settings.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with lock.held(settings.directory / _LOCK) as file:
        agent = _Agent(settings, centre, clock, stop=stop, random=random, lock_file=file)
        try:
            # One that was killed left it behind.
            agent.ready.unlink(missing_ok=True)
            agent.run()
        finally:
            agent.ready.unlink(missing_ok=True)


class _Agent:
    def __init__(
        self,
        settings: SensorSettings,
        centre: Centre,
        clock: Clock,
        *,
        stop: threading.Event,
        random: Callable[[int], bytes],
        lock_file: int,
    ) -> None:
        self._settings = settings
        self._centre = centre
        self._clock = clock
        self._stop = stop
        self._random = random
        self._ended = threading.Event()
        self._drained = threading.Event()
        self._failures: list[BaseException] = []
        self._engine = Suricata(settings, inherited=lock_file)
        self._heard = self._planned = time.monotonic()
        self.ready = settings.directory / READY

    @property
    def _store(self) -> Path:
        return self._settings.directory / _SPOOL

    def run(self) -> None:
        with closing(Spool(self._store)) as spool:
            plan = self._first_plan(spool)
            watch = Watch(name=self._settings.name, spool=spool)
            threads = [self._thread("follow", self._follow), self._thread("deliver", self._deliver)]
            try:
                self._engine.prepare(plan)
                self._begin(watch)
                self.ready.write_text(f"{plan.policy}\n", encoding="utf-8")
                self._supervise(spool, watch, plan)
            finally:
                self._end(watch, threads)
        if self._failures:
            raise self._failures[0]

    def _first_plan(self, spool: Spool) -> Plan:
        try:
            plan = self._centre.plan()
        except Unavailable:
            stored = spool.note(_PLAN)
            if not stored:
                raise
            return Plan.model_validate_json(stored)
        with spool.transaction():
            spool.set_note(_PLAN, plan.model_dump_json())
        return plan

    def _begin(self, watch: Watch) -> None:
        self._engine.start()
        self._heard = time.monotonic()
        watch.started(now=self._clock.now())

    def _supervise(self, spool: Spool, watch: Watch, plan: Plan) -> None:
        while not self._stop.wait(self._settings.heartbeat) and not self._failures:
            self._look(watch)
            if time.monotonic() - self._planned >= self._settings.plan_every:
                self._planned = time.monotonic()
                plan = self._renew(spool, plan)
            self._rotate()

    def _look(self, watch: Watch) -> None:
        """Ask the engine how it is; restart it when it ended or was silent for too long."""
        if not self._engine.is_running():
            self._restart(watch, "engine-ended")
            return
        try:
            packets, dropped = self._engine.counters()
        except EngineUnavailable:
            if time.monotonic() - self._heard >= self._settings.silent_after:
                self._restart(watch, "engine-silent")
            return
        self._heard = time.monotonic()
        watch.seeing(packets, dropped, now=self._clock.now())

    def _restart(self, watch: Watch, cause: str) -> None:
        watch.blind(cause, now=self._clock.now())
        self._engine.stop()
        try:
            self._begin(watch)
        except EngineUnavailable:
            # The window stays open and told; the next round tries again.
            self._stop.wait(_SLOWEST)

    def _renew(self, spool: Spool, plan: Plan) -> Plan:
        """Put a changed plan into force; a centre that is away changes nothing."""
        try:
            fresh = self._centre.plan()
            if fresh.policy == plan.policy:
                return plan
            self._engine.prepare(fresh)
            self._engine.reload()
        except TrustError as error:
            with spool.transaction():
                spool.count("plan-failed")
                spool.set_note("plan-failed", error.detail)
            return plan
        with spool.transaction():
            spool.set_note(_PLAN, fresh.model_dump_json())
        self.ready.write_text(f"{fresh.policy}\n", encoding="utf-8")
        return fresh

    def _rotate(self) -> None:
        file = self._settings.directory / configuration.EVE
        if not self._engine.is_running():
            return
        try:
            if not file.exists():
                # Moved aside by a rotation of which Suricata was not told, or has not yet had anything to write.
                self._engine.reopen()
            elif file.stat().st_size >= self._settings.rotate_at:
                self._engine.rotate(int(self._clock.now().timestamp() * 1e6))
        except EngineUnavailable:
            # Nothing is lost: it writes on where it did, and is asked again; if it stays silent, ``_look`` sees that.
            return

    def _follow(self) -> None:
        file = self._settings.directory / configuration.EVE
        with closing(Spool(self._store)) as spool:
            joiner = Joiner(name=self._settings.name, spool=spool)
            with Reader(file, bookmark=spool.bookmark(), random=self._random) as reader:
                pruned, inode = 0.0, 0
                while True:
                    # Whether it is the last round is asked before reading: what Suricata wrote at its end is read too.
                    last = self._ended.is_set()
                    batch = reader.read()
                    now = self._clock.now().timestamp()
                    if batch.bookmark or batch.lost:
                        joiner.take(batch, now=now)
                    joiner.release(now=now)
                    if batch.bookmark and batch.bookmark.inode != inode:
                        inode = batch.bookmark.inode
                        _remove(reader.finished())
                    if now - pruned > _PRUNE_EVERY:
                        joiner.prune(now=now)
                        pruned = now
                    if not batch.lines:
                        if last:
                            # Suricata has ended: no transaction that an alert waits for is recorded any more.
                            joiner.release(now=float("inf"))
                            return
                        time.sleep(self._settings.poll)

    def _deliver(self) -> None:
        with closing(Spool(self._store)) as spool:
            courier = Courier(spool=spool, centre=self._centre)
            pause = _PAUSE
            while True:
                last = self._drained.is_set()
                try:
                    sent = courier.deliver()
                    pause = _PAUSE
                except TrustError:
                    # Not lost: it stays in the spool, and the centre notices a sensor that it does not hear.
                    sent, pause = 0, min(pause * 2, _SLOWEST)
                if last and not sent:
                    return
                if not sent:
                    self._drained.wait(pause)

    def _thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
                self._failures.append(error)
                self._stop.set()

        thread = threading.Thread(target=guarded, name=f"sensor-{name}", daemon=True)
        thread.start()
        return thread

    def _end(self, watch: Watch, threads: list[threading.Thread]) -> None:
        self._engine.stop()
        try:
            watch.blind("sensor-stopped", now=self._clock.now())
        finally:
            # First everything that Suricata wrote is read, then everything that was read is delivered.
            for thread, event in zip(threads, (self._ended, self._drained), strict=True):
                event.set()
                thread.join(10)


def _remove(files: Sequence[Path]) -> None:
    for file in files:
        # A crash here leaves files that were read to their end: they go when reading next begins or moves on.
        file.unlink(missing_ok=True)
