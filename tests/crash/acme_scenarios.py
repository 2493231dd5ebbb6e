"""Work of the ACME server: nonces, orders finalized and refused, machines looked at, a revocation, and its jobs."""

import contextlib
import json
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import Request

from core.errors import TrustError, Unavailable
from core.jobs import run_due
from deploy import enrolling
from pki.acme import account, binding, certificate_api, challenge, encoding, identifier, jobs, order, server
from pki.acme.caller import Caller
from pki.acme.errors import BadNonce
from pki.acme.jwk import Jwk, parse_jwk
from pki.acme.network import Network
from pki.acme.order import HTTP
from pki.acme.settings import AcmeSettings
from pki.acme.validation import Validation
from tests.crash.nursery import Say
from tests.crash.parts import Parts, Place
from tests.failing import FailingDatabase, Failure

SETTINGS = AcmeSettings(public_url="https://localhost:8444", resolvers=("127.0.0.1:9",))
HOST = "fin-budget.fin.beichen.example"


class Machine:
    """An application with an account of its own, and the server that it asks."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        more = {"clock": parts.clock, "authority": parts.authority}
        self.server = enrolling.server(SETTINGS, parts.database, secret=bytes(32), **more)  # type: ignore[arg-type]
        key = _key()
        with parts.database.write() as session:
            self.holder = binding.find_holder(session, "fin-budget")
            more = {"actor": "zhao-ra", "at": parts.clock.now(), "random": self.server.random}
            made = binding.make(session, self.holder, life=timedelta(hours=1), **more)  # type: ignore[arg-type]
            self.account = account.make(session, self.server.random(16).hex(), key, made, (), at=parts.clock.now()).id
        self.key = key

    def order(self, *names: tuple[str, str]) -> str:
        wanted = [identifier.read(*one) for one in names or (("dns", HOST),)]
        with self.parts.database.write() as session:
            row = account.hold(session, self.account)
            more = {"replaces": "", "at": self.parts.clock.now(), "random": self.server.random}
            return order.make(session, row, wanted, life=timedelta(hours=1), **more).id  # type: ignore[arg-type]

    def ask(self, wanted: str) -> list[str]:
        """Say that the machine is ready."""
        with self.parts.database.write() as session:
            found = [
                one.id
                for above in order.authorizations(session, wanted)
                for one in challenge.challenges(session, above.id)
                if one.kind == HTTP
            ]
            for one in found:
                challenge.ask(session, self.account, one, self.parts.clock.now())
        return found

    def show(self, wanted: str) -> None:
        """Let the machine have been looked at, and found to show what it should."""
        for one in self.ask(wanted):
            with self.parts.database.write() as session:
                challenge.conclude(session, one, None, self.parts.clock.now())

    def finalize(self, *, ready: bool = True, csr: bytes = b"") -> str:
        wanted = self.order()
        if ready:
            self.show(wanted)
        self.server.finalizer.finalize(self.account, self.holder, wanted, csr or request())
        with self.parts.database.read() as session:
            return order.get(session, self.account, wanted).serial


def finalize(place: Place, say: Say) -> None:
    machine = Machine(Parts(place))
    for _ in range(3):
        say("issued", machine.finalize())


def be_refused(place: Place, _say: Say) -> None:
    """The request says who the register says nobody is: the order is ready again."""
    machine = Machine(Parts(place))
    for _ in range(3):
        with contextlib.suppress(TrustError):
            machine.finalize(csr=request("somebody-else"))


def revoke(place: Place, say: Say) -> None:
    machine = Machine(Parts(place))
    serial = machine.finalize()
    say("issued", serial)
    with machine.parts.database.read() as session:
        der = session.get_one(certificate_api.Certificate, serial).der
    payload = json.dumps({"certificate": encoding.encode(der), "reason": 4}).encode()
    certificate_api.revoke(Caller(machine.account, machine.holder, machine.key, payload), machine.server)
    say("revoked", serial)


def use_nonces(place: Place, _say: Say) -> None:
    machine = Machine(Parts(place))
    for _ in range(3):
        nonce = machine.server.nonces.make()
        machine.server.nonces.use(nonce)
        with contextlib.suppress(BadNonce):
            machine.server.nonces.use(nonce)


def refuse(place: Place, _say: Say) -> None:
    machine = Machine(Parts(place))
    scope = {"type": "http", "method": "POST", "path": "/acme/issuing/new-order", "headers": [], "query_string": b""}
    for _ in range(3):
        server._recorded(machine.server, Request({**scope, "server": ("localhost", 8444)}), BadNonce("used before"))


def look(place: Place, _say: Say) -> None:
    """Machines that lie outside of their domain are not even reached."""
    machine = Machine(Parts(place))
    for number in range(3):
        machine.ask(machine.order(("ip", f"127.0.0.{number + 1}")))
    parts = machine.parts
    Validation(database=parts.database, clock=parts.clock, network=Network(SETTINGS)).run()


def work_off(place: Place, _say: Say) -> None:
    """Orders that lost whoever worked at them, and nonces that have ended, are there for the jobs."""
    database = FailingDatabase(place.url)
    machine = Machine(Parts(place, database))
    for _ in range(3):
        machine.server.nonces.use(machine.server.nonces.make())
        wanted = machine.order()
        machine.show(wanted)
        # The order is held by the first write, the second is the authority's intention.
        database.arm(2, Failure.NOT_APPLIED)
        with contextlib.suppress(Unavailable):
            machine.server.finalizer.finalize(machine.account, machine.holder, wanted, request())
        machine.parts.clock.advance(minutes=4)
        assert run_due(database, jobs.jobs(database), machine.parts.clock, "first") == []


def request(name: str = "") -> bytes:
    subject = [x509.NameAttribute(x509.NameOID.COMMON_NAME, name)] if name else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.DER)


def _key() -> Jwk:
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    x, y = (encoding.encode(one.to_bytes(32, "big")) for one in (numbers.x, numbers.y))
    return parse_jwk({"kty": "EC", "crv": "P-256", "x": x, "y": y})
