"""Sessions with the token: one login that is kept for ever, a bounded pool, and recovery by draining and starting over.

After an outage new sessions open but find nothing until the library is finalised and initialised again; so recovery
takes every session out of the pool (which drains what runs), starts the library over, logs in once, and refills it.
"""

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from core.errors import Unavailable
from hsm import module as pkcs11
from hsm.errors import PinRefused, TokenUnavailable
from hsm.settings import HsmSettings

#: Seconds to wait for a free session, and the longest pause between two attempts to start over.
_WAIT, _LONGEST_PAUSE = 10.0, 5.0


@dataclass
class Worker:
    """A session and the key handles found in it: handles of one session are of no use in another."""

    session: pkcs11.Session | None
    handles: dict[bytes, pkcs11.PrivateKey] = field(default_factory=dict)

    def key(self, identifier: bytes) -> pkcs11.PrivateKey:
        """Return the handle of a private key, found on first use."""
        if self.session is None:
            raise TokenUnavailable("the token does not answer yet", hint="it is tried again by itself")
        if identifier not in self.handles:
            self.handles[identifier] = pkcs11.find_private(self.session, identifier)
        return self.handles[identifier]


class SessionPool:
    """Lends workers, one to a thread at a time."""

    def __init__(self, library: pkcs11.Module, settings: HsmSettings) -> None:
        """Prepare; ``open`` logs in."""
        self.generation = 0
        self.size = settings.sessions
        self._library = library
        self._settings = settings
        self._free: queue.Queue[Worker] = queue.Queue()
        self._recovering = threading.Lock()
        self._login: pkcs11.Session | None = None
        self._locked_out = False
        self._pause = 0.1
        self._not_before = 0.0

    def open(self) -> None:
        """Initialise the library and log in once. Raises ``PinRefused`` or ``TokenUnavailable``."""
        for worker in self._start():
            self._free.put(worker)

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        """Lend a worker; raises ``TokenUnavailable`` when none becomes free in time."""
        try:
            worker = self._free.get(timeout=_WAIT)
        except queue.Empty:
            raise TokenUnavailable("every session with the token is busy", hint="try again") from None
        try:
            yield worker
        finally:
            self._free.put(worker)

    def renew(self, worker: Worker) -> None:
        """Give a worker another session; the login stays, because its own session stays open."""
        worker.handles.clear()
        with pkcs11.translated():
            worker.session = self._library.token(self._settings.token_label).open(rw=True)

    def recover(self, generation: int) -> None:
        """Start the library over, unless somebody has done so since ``generation``; raises when it does not help."""
        with self._recovering:
            if generation != self.generation:
                return
            if self._locked_out:
                raise PinRefused("the token refused the PIN; it is not tried again", hint="start the signer again")
            if time.monotonic() < self._not_before:
                raise TokenUnavailable("the token does not answer", hint="it is tried again by itself")
            self._drain()
            try:
                fresh = self._start()
            except Unavailable:
                # Workers without a session: whoever borrows one is told at once, and not after waiting for it.
                for _ in range(self.size):
                    self._free.put(Worker(None))
                self._not_before = time.monotonic() + self._pause
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)
                raise
            for worker in fresh:
                self._free.put(worker)
            self._pause = 0.1

    def _drain(self) -> None:
        """Take every worker out, waiting for those that are lent; all or none. Raises ``TokenUnavailable``."""
        taken: list[Worker] = []
        try:
            while len(taken) < self.size:
                taken.append(self._free.get(timeout=_WAIT))
        except queue.Empty:
            for worker in taken:
                self._free.put(worker)
            raise TokenUnavailable("a session with the token is stuck", hint="start the signer again") from None

    def _start(self) -> list[Worker]:
        if self.generation:
            self._library.finalise()
        self._library.initialise()
        token = self._library.token(self._settings.token_label)
        pin = _read_pin(self._settings)
        try:
            with pkcs11.translated():
                # The login lives as long as its session: this one is never used for anything else, and never closed.
                self._login = token.open(rw=True, user_pin=pin)
                workers = [Worker(token.open(rw=True)) for _ in range(self.size)]
        except PinRefused:
            self._locked_out = True
            raise
        self.generation += 1
        return workers


def _read_pin(settings: HsmSettings) -> str:
    try:
        return settings.user_pin_file.read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise TokenUnavailable("the PIN file cannot be read", hint="restore it from a recovery point") from error
