"""Work of machines over CMP: first certificates, refusals, officers that take their time, revocations, and the job."""

import secrets
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from core.jobs import run_due
from deploy import machines
from pki import issuer
from pki.cmp import jobs
from pki.cmp.message import Kind
from pki.cmp.server import Cmp
from pki.device import secret
from pki.device.secret import Agreed
from pki.issuer import ISSUING
from tests.crash.nursery import Say
from tests.crash.parts import Parts, Place
from tests.pki.device import messages
from tests.pki.device.messages import Client

INSTALLATION = bytes(32)


class Machine:
    """A machine of the register, and the server that it asks."""

    def __init__(self, place: Place, name: str = "fin-budget") -> None:
        self.parts, self.name = Parts(place), name
        parts = self.parts
        more = {"clock": parts.clock, "authority": parts.authority, "authenticator": parts.authenticator}
        made = machines.servers(parts.database, parts.keys, installation=lambda: INSTALLATION, **more)  # type: ignore[arg-type]
        server = made[Cmp]
        assert isinstance(server, Cmp)
        self.server = server
        #: The key of the newest request: each has its own.
        self.key = ec.generate_private_key(ec.SECP256R1())

    def client(self) -> Client:
        """One that has an initial secret."""
        parts = self.parts
        with parts.database.write() as session:
            holder, agreed = secret.find_holder(session, self.name), Agreed((), (), timedelta(hours=1))
            more = {"actor": "zhao-ra", "at": parts.clock.now(), "random": secrets.token_bytes}
            row = secret.make(session, holder, agreed, **more)  # type: ignore[arg-type]
            return Client(secret=(row.id, secret.value_of(row, INSTALLATION)))

    def ask(self, client: Client, kind: Kind, body: bytes) -> messages.Message:
        return client.read(self.server.respond(client.message(kind, body)))

    def enrol(self, client: Client, subject: str = "fin-budget-app") -> bytes:
        self.key = ec.generate_private_key(ec.SECP256R1())
        asked = messages.certificate_request(self.key, subject=messages.name(subject))
        return messages.response(self.ask(client, Kind.IR, asked))[1]


def enrol(place: Place, say: Say) -> None:
    """What came is confirmed, or not wanted after all; where the level asks for two officers, it is waited for."""
    machine, careful = Machine(place), Machine(place, "office-docs")
    for _ in range(2):
        client = machine.client()
        made = machine.enrol(client)
        machine.ask(client, Kind.CERTCONF, messages.confirmation(made))
        say("issued", serial_of(made))
        client = machine.client()
        made = machine.enrol(client)
        machine.ask(client, Kind.ERROR, bytes.fromhex("30053003020102"))
        say("revoked", serial_of(made))
        client = careful.client()
        careful.enrol(client, "office-docs-app")
        careful.ask(client, Kind.POLLREQ, messages.poll())


def be_refused(place: Place, _say: Say) -> None:
    machine = Machine(place)
    for _ in range(3):
        machine.enrol(machine.client(), "somebody-else")


def revoke(place: Place, say: Say) -> None:
    machine = Machine(place)
    made = machine.enrol(machine.client())
    with machine.parts.database.read() as session:
        name = issuer.name_of(session, ISSUING)
    signed = Client(key=machine.key, certificate=made)
    machine.ask(signed, Kind.RR, messages.revocation(name, int(serial_of(made), 16)))
    say("revoked", serial_of(made))


def expire(place: Place, _say: Say) -> None:
    """Nobody confirms."""
    machine = Machine(place)
    machine.enrol(machine.client())
    machine.parts.clock.advance(minutes=11)
    assert run_due(machine.parts.database, jobs.jobs(machine.parts.database), machine.parts.clock, "first") == []


def serial_of(made: bytes) -> str:
    return f"{x509.load_der_x509_certificate(made).serial_number:040x}"
