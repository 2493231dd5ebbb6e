"""Ten million certificates in the store: what people and machines do with them, beside the same at ten thousand.

Generated rows, made by the store itself: each has its intention, certificate, credential, and one in a hundred is
revoked. Both stores are asked in turn, on one disk.
"""

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from time import perf_counter

from core.clock import Clock, from_rfc3339
from core.database import Database
from core.identity import Serial
from core.registry import credential
from deploy.bench import issuance
from deploy.bench.measurement import Measurement, compare
from hsm.client import SignerClient
from pki import catalogue, pointers, revocation, standing
from pki.catalogue import Wanted
from pki.crl import CrlPublisher
from pki.issuance import CertificateAuthority
from pki.issuer import ISSUING
from pki.models import Certificate

#: Certificates of the small store.
SMALL = 10_000

#: How often each thing is done in one round.
_TIMES = 40

#: Holders of the generated certificates, and rows of one transaction.
_HOLDERS, _TOGETHER = 100_000, 500_000

#: What SQLite generates: n is the row, s its serial number. What is random is shorter than a certificate.
_ROWS = """
INSERT INTO temp.generated
WITH RECURSIVE count(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM count WHERE n + 1 < :last)
SELECT n, '02' || lower(hex(randomblob(19))) FROM count
"""
_TABLES = (
    """INSERT INTO issuance_intent (serial, issuer, profile, holder_kind, holder, domain, actor, at, tbs, state,
       request, profiles, renews) SELECT s, 'issuing', 'person', 'person', 'h' || (n % :holders), 'outer-finance',
       'bench', :at, randomblob(100), 'issued', lower(hex(randomblob(32))), '', '' FROM temp.generated ORDER BY s""",
    """INSERT INTO certificate (serial, issuer, issued_at, der) SELECT s, 'issuing', :at, randomblob(300)
       FROM temp.generated ORDER BY s""",
    """INSERT INTO credential (serial, issuer, holder_kind, holder, domain, profile, certificate_sha256, spki_sha256,
       not_before, not_after, state, revocation_reason) SELECT s, 'issuing', 'person', 'h' || (n % :holders),
       'outer-finance', 'person', lower(hex(randomblob(32))), lower(hex(randomblob(32))), :at, :end,
       CASE WHEN n % 100 = 0 THEN 'revoked' ELSE 'good' END, '' FROM temp.generated ORDER BY s""",
)
_INDEXES = """SELECT name, sql FROM sqlite_master
WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ('issuance_intent', 'certificate', 'credential')"""


@dataclass(frozen=True, slots=True)
class _Store:
    database: Database
    authority: CertificateAuthority
    publisher: CrlPublisher
    clock: Clock


def measure(directory: Path, client: SignerClient, clock: Clock, *, large: int, rounds: int) -> list[Measurement]:
    """Compare ``large`` certificates with ``SMALL``, in two stores in ``directory``."""
    with ExitStack() as stack:
        ours, peer = (
            stack.enter_context(_store(directory / f"{count}", count, client, clock)) for count in (large, SMALL)
        )
        return [
            compare(
                f"store-{large}-{name}",
                ours=partial(_rate, act, ours),
                peer=partial(_rate, act, peer),
                peer_name=f"the same with {SMALL} certificates in the store",
                unit="times/s",
                rounds=rounds,
            )
            for name, act in _ACTS.items()
        ]


@contextmanager
def _store(place: Path, count: int, client: SignerClient, clock: Clock) -> Iterator[_Store]:
    place.mkdir()
    with issuance.authority(place / "store.sqlite3", client, clock) as (database, authority):
        fill(place / "store.sqlite3", count)
        publisher = CrlPublisher(database=database, keys=client, clock=clock, settings=issuance.SETTINGS)
        publisher.refresh()
        yield _Store(database, authority, publisher, clock)


def fill(store: Path, count: int) -> None:
    """Generate ``count`` certificates in a SQLite store that nobody uses."""
    at, end = from_rfc3339("2026-01-01T00:00:00Z"), from_rfc3339("2029-01-01T00:00:00Z")
    told = {"at": f"{at:%Y-%m-%d %H:%M:%S.%f}", "end": f"{end:%Y-%m-%d %H:%M:%S.%f}", "holders": _HOLDERS}
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        for pragma in ("synchronous=OFF", "cache_size=-1000000", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TEMP TABLE generated (n INTEGER PRIMARY KEY, s TEXT)")
        # Made anew from all rows at once: in a tenth of the time.
        indexes = connection.execute(_INDEXES).fetchall()
        for name, _sql in indexes:
            connection.execute(f"DROP INDEX {name}")
        for first in range(0, count, _TOGETHER):
            connection.execute("BEGIN")
            connection.execute("DELETE FROM temp.generated")
            connection.execute(_ROWS, {"first": first, "last": min(first + _TOGETHER, count)})
            for statement in _TABLES:
                connection.execute(statement, told)
            _revoke_some(connection, at)
            connection.execute("COMMIT")
        for _name, sql in indexes:
            connection.execute(sql)


def _revoke_some(connection: sqlite3.Connection, at: datetime) -> None:
    rows = []
    for (serial,) in connection.execute("SELECT s FROM temp.generated WHERE n % 100 = 0 ORDER BY s"):
        entry = revocation.encode_entry(serial, at, "superseded")
        rows.append((serial, ISSUING, pointers.shard(serial), f"{at:%Y-%m-%d %H:%M:%S.%f}", "superseded", entry))
    connection.executemany(
        "INSERT INTO revocation (serial, issuer, shard, at, reason, entry) VALUES (?, ?, ?, ?, ?, ?)", rows
    )


def _rate(act: Callable[[_Store], None], store: _Store) -> float:
    begun = perf_counter()
    for _ in range(_TIMES):
        act(store)
    return _TIMES / (perf_counter() - begun)


def _issue(store: _Store) -> None:
    store.authority.issue(issuance.request(), actor="bench")


def _find(store: _Store) -> None:
    with store.database.read() as session:
        holder = f"h{secrets.randbelow(SMALL)}"
        for row in catalogue.find(session, Wanted(holder=holder), after="", limit=5).rows:
            assert standing.of(session, Serial(row.serial)).state == row.state
            assert session.get_one(Certificate, row.serial).der


def _list(store: _Store) -> None:
    with store.database.read() as session:
        part = catalogue.find(session, Wanted(domain="outer-finance", state="good"), after="", limit=100)
        assert len(catalogue.find(session, Wanted(), after=part.rest, limit=100).rows) == 100


def _revoke(store: _Store) -> None:
    made = store.authority.issue(issuance.request(), actor="bench")
    with store.database.write() as session:
        revocation.revoke(session, made.serial, reason="superseded", actor="bench", at=store.clock.now())
    with store.database.read() as session:
        assert credential.get(session, made.serial).state == "revoked"


_ACTS = {"issue": _issue, "find": _find, "list": _list, "revoke": _revoke}
