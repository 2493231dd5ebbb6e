"""Certificate status: OCSP answers beside ``openssl ocsp``, and a full list signed anew beside ``openssl ca -gencrl``.

Both responders are one process, sign with P-256 and are asked over a new connection each time, because openssl closes
each; ours is asked once more over connections that stay open, as any other client would.
"""

import asyncio
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificate, ocsp

from core.clock import Clock
from core.database import Database
from core.identity import Serial
from core.registry.credential import Credential
from deploy.bench.measurement import Measurement, compare
from deploy.children import Child
from deploy.rehearsal.step import wait_for
from deploy.tables import METADATA
from hsm.client import SignerClient
from pki import hierarchy, issuer, pointers, revocation
from pki.crl import CrlPublisher
from pki.ocsp import issuer_hashes
from pki.settings import PkiSettings
from pki.tbslist import FULL

#: Requests in one round, connections at once, and entries of the list.
REQUESTS, AT_ONCE, ENTRIES = 2_000, 8, 100_000

_SETTINGS = PkiSettings(organisation="演练样本", public_url="http://status.example")
_SERIAL = Serial("01" * 20)


def measure(client: SignerClient, signer: Path, directory: Path, clock: Clock, *, rounds: int) -> list[Measurement]:
    """Compare, with files and peers in ``directory``; the signer's state is in ``signer``."""
    place = directory / "status"
    place.mkdir()
    store = f"sqlite:///{place}/store.sqlite3"
    database = Database(store)
    METADATA.create_all(database.engine)
    hierarchy.establish(database, client, clock, secrets.token_bytes, _SETTINGS)
    _fill(database, clock)
    _make_peer(place)
    found = [*_responders(database, store, signer, place, rounds), _lists(database, client, place, clock, rounds)]
    database.close()
    return found


def _fill(database: Database, clock: Clock) -> None:
    at = clock.now()
    rows = []
    for _ in range(ENTRIES):
        serial = Serial(f"02{secrets.token_hex(19)}")
        entry = revocation.encode_entry(serial, at, "superseded")
        row = {"serial": serial, "issuer": "issuing", "shard": pointers.shard(serial), "at": at}
        rows.append({**row, "reason": "superseded", "entry": entry})
    database.insert(METADATA.tables["revocation"], rows)
    good = Credential(
        serial=_SERIAL,
        issuer="issuing",
        holder_kind="person",
        holder="li-wen",
        domain="outer-finance",
        profile="person",
        certificate_sha256="0" * 64,
        spki_sha256="0" * 64,
        not_before=at,
        not_after=at + timedelta(days=365),
    )
    with database.write() as session:
        session.add(good)


_PEER = """
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=peer -keyout ca.key -out ca.pem
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ocsp -keyout ocsp.key -out ocsp.csr
printf 'extendedKeyUsage=OCSPSigning\\n' > ocsp.ext
openssl x509 -req -in ocsp.csr -CA ca.pem -CAkey ca.key -days 30 -extfile ocsp.ext -out ocsp.pem
cat > ca.cnf <<CNF
[ca]
default_ca = c
[c]
database = lists.txt
crlnumber = number
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_crl_days = 1
crl_extensions = e
[e]
authorityKeyIdentifier = keyid
CNF
echo 01 > number
"""


def _make_peer(place: Path) -> None:
    """Make the peer's authority, and its index: one good certificate, and as many revoked as ours has."""
    subprocess.run(["bash", "-ec", _PEER], cwd=place, check=True, capture_output=True)
    line = "R\t301231235959Z\t260101000000Z,superseded\t{}\tunknown\t/CN=x"
    good = f"V\t301231235959Z\t\t{_SERIAL}\tunknown\t/CN=x\n"
    (place / "index.txt").write_text(good, encoding="ascii")
    revoked = (line.format(f"02{secrets.token_hex(19)}".upper()) for _ in range(ENTRIES))
    (place / "lists.txt").write_text("\n".join(revoked) + "\n", encoding="ascii")


def _responders(database: Database, store: str, signer: Path, place: Path, rounds: int) -> list[Measurement]:
    with database.read() as session:
        authority = issuer.get(session, issuer.ISSUING).der
    ours_asked = _post(_question(authority))
    peer = load_pem_x509_certificate((place / "ca.pem").read_bytes())
    peer_asked = _post(_question(peer.public_bytes(Encoding.DER)), path="/", version="1.0")
    ours, theirs = _free_port(), _free_port()
    own = [sys.executable, "-m", "deploy.bench.responding", store, str(signer), str(ours)]
    files = {name: str(place / name) for name in ("index.txt", "ca.pem", "ocsp.pem", "ocsp.key")}
    openssl = ["openssl", "ocsp", "-index", files["index.txt"], "-port", str(theirs), "-CA", files["ca.pem"]]
    openssl += ["-rsigner", files["ocsp.pem"], "-rkey", files["ocsp.key"], "-ndays", "1"]
    with (
        _running("responder", own, ours, ours_asked, place),
        _running("openssl", openssl, theirs, peer_asked, place),
    ):
        named = [("ocsp-post-vs-openssl", False), ("ocsp-post-keep-alive-vs-openssl", True)]
        return [
            compare(
                name,
                ours=partial(_rate, ours, ours_asked, keep=keep),
                peer=partial(_rate, theirs, peer_asked, keep=False),
                peer_name="openssl ocsp, which signs each answer and closes each connection",
                unit="answers/s",
                rounds=rounds,
            )
            for name, keep in named
        ]


def _lists(database: Database, client: SignerClient, place: Path, clock: Clock, rounds: int) -> Measurement:
    publisher = CrlPublisher(database=database, keys=client, clock=clock, settings=_SETTINGS)
    publisher.refresh()

    def ours() -> float:
        begun = time.perf_counter()
        publisher.publish(issuer.ISSUING, (FULL,))
        return 1 / (time.perf_counter() - begun)

    def peer() -> float:
        begun = time.perf_counter()
        command = ["openssl", "ca", "-config", "ca.cnf", "-gencrl", "-out", "list.pem"]
        subprocess.run(command, cwd=place, check=True, capture_output=True)
        return 1 / (time.perf_counter() - begun)

    return compare(
        f"crl-full-{ENTRIES // 1000}k-vs-openssl",
        ours=ours,
        peer=peer,
        peer_name="openssl ca -gencrl with as many entries",
        unit="lists/s",
        rounds=min(rounds, 3),
    )


def _question(authority: bytes) -> bytes:
    name, key = issuer_hashes(load_der_x509_certificate(authority), hashes.SHA256())
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name, key, int(_SERIAL, 16), hashes.SHA256())
    return builder.build().public_bytes(Encoding.DER)


def _post(question: bytes, path: str = "/ocsp/issuing", version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: localhost", "Content-Type: application/ocsp-request"]
    return "\r\n".join([*lines, f"Content-Length: {len(question)}", "", ""]).encode("ascii") + question


def _rate(port: int, asked: bytes, *, keep: bool) -> float:
    begun = time.perf_counter()
    asyncio.run(_ask_all(port, asked, keep=keep))
    return REQUESTS / (time.perf_counter() - begun)


async def _ask_all(port: int, asked: bytes, *, keep: bool) -> None:
    await asyncio.gather(*(_ask_some(port, asked, keep=keep, count=REQUESTS // AT_ONCE) for _ in range(AT_ONCE)))


async def _ask_some(port: int, asked: bytes, *, keep: bool, count: int) -> None:
    streams = None
    for _ in range(count):
        streams = streams or await asyncio.open_connection("127.0.0.1", port)
        reader, writer = streams
        writer.write(asked)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().splitlines() if line.startswith(b"content-length:"))
        answer = await reader.readexactly(length)
        if not head.split(b" ", 2)[1] == b"200" or answer[4:7] != b"\x0a\x01\x00":
            raise RuntimeError("a responder did not answer")
        if not keep:
            writer.close()
            streams = None
    if streams is not None:
        streams[1].close()


@contextmanager
def _running(name: str, command: list[str], port: int, asked: bytes, place: Path) -> Iterator[None]:
    child = Child(name, command, log=place / f"{name}.log")
    try:
        if wait_for(partial(_answers, port, asked), seconds=20) is None:
            raise TimeoutError(f"the responder does not start: {child.last_words()}")
        yield
    finally:
        child.stop()


def _answers(port: int, asked: bytes) -> bool:
    """Whether a question is answered; openssl gets stuck for good on a connection that asks nothing."""
    try:
        asyncio.run(_ask_some(port, asked, keep=False, count=1))
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
