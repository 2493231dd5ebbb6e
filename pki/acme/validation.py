"""Look at machines whose challenges wait, and enter what was seen. It runs in the worker, never where clients ask.

1. What waits is read. 2. Every machine is looked at, outside of any transaction. 3. Each outcome is entered by itself.
"""

from collections.abc import Callable, Mapping
from concurrent import futures

from core.clock import Clock
from core.database import Database
from core.errors import TrustError
from pki.acme import challenge, jws, order, shown
from pki.acme.challenge import Asked
from pki.acme.network import Network

#: Most challenges of one run, and most that are looked at side by side: a run ends long before its lease.
MOST, TOGETHER = 64, 16

#: Where a machine shows the file, and before which name the record stands (RFC 8555, 8.3 and 8.4).
PATH, RECORD = "/.well-known/acme-challenge/", "_acme-challenge."


class Validation:
    """What waits and how it is looked at."""

    def __init__(self, *, database: Database, clock: Clock, network: Network) -> None:
        """Look at machines over ``network``."""
        self._database = database
        self._clock = clock
        self._network = network

    def run(self) -> int:
        """Look at what waits now; return how many that were."""
        # 1.
        with self._database.read() as session:
            asked = challenge.waiting(session, MOST)
        if not asked:
            return 0
        # 2. and 3.
        with futures.ThreadPoolExecutor(TOGETHER) as threads:
            looking = {threads.submit(self._look, one): one for one in asked}
            for done in futures.as_completed(looking):
                self._enter(looking[done], done.result())
        return len(asked)

    def _look(self, asked: Asked) -> TrustError | None:
        """Return what is wrong with what the machine shows, or nothing."""
        try:
            _WAYS[asked.kind](self._network, asked)
        except TrustError as failure:
            return failure
        return None

    def _enter(self, asked: Asked, failure: TrustError | None) -> None:
        with self._database.write() as session:
            challenge.conclude(session, asked.id, failure, self._clock.now())
        # A crash here leaves other challenges of this run as they were: the next run looks at their machines again.


def _expected(asked: Asked) -> str:
    return jws.key_authorization(asked.token, asked.thumbprint)


def _http(network: Network, asked: Asked) -> None:
    shown.check_body(network.fetch(asked.identifier, PATH + asked.token, asked.ranges), _expected(asked))


def _dns(network: Network, asked: Asked) -> None:
    shown.check_texts(network.texts(RECORD + asked.identifier.value), jws.digest_of(_expected(asked)))


def _tls(network: Network, asked: Asked) -> None:
    content, protocol = network.certificate(asked.identifier, asked.ranges)
    shown.check_certificate(content, protocol, asked.identifier, jws.digest_of(_expected(asked)))


_WAYS: Mapping[str, Callable[[Network, Asked], None]] = {order.HTTP: _http, order.DNS: _dns, order.TLS: _tls}
