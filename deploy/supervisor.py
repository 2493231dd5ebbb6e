"""``guosuo serve``: starts signer, sequencer, worker and HTTP process as children that die with it.

A child that ends is started again after a pause; one that ends five times within a minute stops the whole service with
its last words, because only a person can know what is wrong.
"""

import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from core.errors import Conflict, Unavailable
from deploy import acme, initial, installation, signer, wiring
from deploy.children import Child
from deploy.settings import Settings

_PATIENCE = 60.0
_TRIES = 5


@dataclass
class _Place:
    """One child's place: how to start it, and when it was started lately."""

    name: str
    arguments: list[str]
    child: Child | None = None
    starts: deque[float] = field(default_factory=lambda: deque(maxlen=_TRIES))


def serve(settings: Settings, *, announce: Callable[[str], None], stop: threading.Event) -> None:
    """Run the service until ``stop``; raises ``Unavailable`` when a child cannot be kept running."""
    check_reconciled(settings)
    # Migrations run once, here, before any process opens the store.
    database = wiring.store(settings)
    installation.upgrade(database, wiring.clock())
    installation.started(database, wiring.clock())
    acme.prepare(settings)
    initial.prepare(settings)
    database.close()
    places = [_Place(name, ["-m", module, str(settings.state)]) for name, module in _PROCESSES]
    try:
        for place in places:
            _start(place, settings)
            if place.name == "signer" and place.child is not None:
                signer.await_start(settings, place.child)
        await_answer(settings, places)
        announce(f"https://{settings.listen.host}:{settings.listen.port}")
        while not stop.wait(0.2):
            for place in places:
                _keep(place, settings)
    finally:
        for place in reversed(places):
            if place.child is not None:
                place.child.stop()


_PROCESSES = (
    ("signer", "hsm.signerd"),
    ("sequencer", "deploy.sequencer"),
    ("worker", "deploy.worker"),
    ("http", "deploy.http"),
)


def check_reconciled(settings: Settings) -> None:
    """Raise ``Conflict`` for a restored state that was not reconciled with the evidence: it could resurrect."""
    for marker in ("INCOMPLETE", "UNRECONCILED"):
        if (settings.state / marker).exists():
            detail = f"`{settings.state}` was restored but is still {marker.lower()}: it may revive what was revoked"
            raise Conflict(detail, hint="run `guosuo backup restore` again into an empty folder")


def await_answer(settings: Settings, places: list[_Place], *, timeout: float = 60.0) -> None:
    """Wait until the interface accepts connections; raises ``Unavailable`` naming the child that ended."""
    deadline = time.monotonic() + timeout
    address = "127.0.0.1" if settings.listen.address == "0.0.0.0" else settings.listen.address  # noqa: S104
    while not _accepts(address, settings.listen.port):
        for place in places:
            if place.child is not None and place.child.ended() is not None:
                raise _ended(place.name, place.child)
        if time.monotonic() > deadline:
            raise Unavailable(f"the service did not answer within {timeout:.0f} s")
        time.sleep(0.05)


def _accepts(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def install_signals(stop: threading.Event) -> None:
    """Let SIGTERM and SIGINT end the service in order."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())


def _start(place: _Place, settings: Settings) -> None:
    place.starts.append(time.monotonic())
    if place.name == "signer":
        place.child = signer.start(settings)
        return
    log = settings.logs / f"{place.name}.log"
    place.child = Child(place.name, [sys.executable, *place.arguments], log=log)


def _keep(place: _Place, settings: Settings) -> None:
    child = place.child
    if child is None or child.ended() is None:
        return
    if len(place.starts) == _TRIES and time.monotonic() - place.starts[0] < _PATIENCE:
        raise _ended(place.name, child)
    time.sleep(0.3)
    _start(place, settings)


def _ended(name: str, child: Child) -> Unavailable:
    return Unavailable(f"{name} ended: {child.last_words(3)}", hint=f"see `{child.log}`")
