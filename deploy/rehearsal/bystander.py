"""Somebody else who works through the same gateway all the while, and notices every failed request."""

import threading
import time

from deploy.rehearsal.doors import Connection, Door, Identity


class Bystander:
    """Asks for a page twenty times a second over keep-alive connections, in a thread of its own."""

    def __init__(self, door: Door, identity: Identity, path: str) -> None:
        """Prepare; nothing is asked until ``start``."""
        self.requests = 0
        self.failures: list[str] = []
        self._door = door
        self._context = door.context(identity)
        self._path = path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="bystander", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End and wait for the last request."""
        self._stop.set()
        self._thread.join(timeout=15)

    def _work(self) -> None:
        connection: Connection | None = None
        while not self._stop.is_set():
            connection, ended_idle = self._ask(connection)
            if not ended_idle:
                time.sleep(0.05)
        if connection is not None:
            connection.close()

    def _ask(self, connection: Connection | None) -> tuple[Connection | None, bool]:
        fresh = connection is None
        try:
            connection = connection or self._door.connect(self._context)
            page = connection.get(self._path)
        except OSError as error:
            if not fresh:
                # An idle connection that the gateway closed: HTTP/1.1 clients open a new one, nobody notices.
                return None, True
            self.requests += 1
            self.failures.append(str(error))
            return None, False
        self.requests += 1
        if page.status != 200:
            self.failures.append(f"answered {page.status}")
        return connection, False
