"""Work of the doors: an answer to a gateway, to an application, to a person; an appointment; a bundle of evidence."""

import secrets
from urllib.parse import quote

from authz import authzen, explanation
from authz.authzen import Question
from authz.gateway import Gateway, GatewayQuestion
from core import refusal
from core.errors import Forbidden
from core.identity import Principal, SubjectKind
from core.ledger import bundle
from core.ledger.checkpoint import parse_verifier_key
from core.ledger.place import LedgerPlace
from core.refusal import Attempt
from core.rule import OWN_ACT
from deploy import identity
from deploy.identity import AppointmentRequest
from pki.request import IssuanceRequest, IssuedCertificate
from tests.crash.nursery import Say
from tests.crash.parts import Parts, Place, csr

ADMINISTRATORS = {
    "he-sysadmin": "system-administrator",
    "wei-auditor": "auditor",
    "lu-security": "security-administrator",
}


def evaluate(place: Place, _say: Say) -> None:
    """An application asks about a person, by AuthZEN; it may, and may not."""
    parts = Parts(place)
    asked_by = _officer(parts)
    for action in ("budget:read", "budget:write", "budget:read"):
        authzen.evaluate(parts.decisions, _question(action), asked_by=asked_by)


def explain(place: Place, _say: Say) -> None:
    """A person asks why somebody may."""
    parts = Parts(place)
    asked_by = _officer(parts)
    for _ in range(3):
        explanation.explain(parts.decisions, parts.clock, _question("budget:read"), asked_by=asked_by)


def attempt(place: Place, _say: Say) -> None:
    """A person tries what a rule forbids."""
    parts = Parts(place)
    tried = Attempt(_officer(parts).identifier, "/api/v1/approval", secrets.token_hex(16))
    for _ in range(3):
        refused = Forbidden("nobody decides on their own act", rule=str(OWN_ACT))
        refusal.record(parts.database, parts.clock, tried, refused)


def pass_gateway(place: Place, say: Say) -> None:
    """A gateway asks for one that may, one without a certificate, and the first again: each answer is on record."""
    parts = Parts(place)
    gateway = Gateway(clock=parts.clock, authenticator=parts.authenticator, decisions=parts.decisions)
    asked_by, certificate = _officer(parts), _escaped(parts.issue())
    first = secrets.token_hex(16)
    for request, shown in ((first, certificate), (secrets.token_hex(16), ""), (first, certificate)):
        asked = GatewayQuestion(
            request_id=request,
            host="fin-budget.fin.beichen.example",
            method="GET",
            target="/budget/report",
            certificate=shown,
            address="10.30.0.2",
        )
        gateway.decide(asked, gateway=asked_by)
        say("recorded", request)


def appoint(place: Place, say: Say) -> None:
    """The endpoint's own function, by the holder of a bootstrap certificate; appointed are always the same three."""
    parts = Parts(place)
    principal = _bootstrap(parts)
    for person, office in ADMINISTRATORS.items():
        body = AppointmentRequest(person=person, role=office, csr=csr(person).decode())
        done = identity.appoint(body, principal, parts.database, parts.authority, parts.clock)
        say("issued", done.serial)
        if done.bootstrap_ended:
            say("revoked", principal.serial)
            principal = _bootstrap(parts)


def _bootstrap(parts: Parts) -> Principal:
    request = IssuanceRequest(
        csr=csr("bootstrap"), profile="bootstrap", holder_kind=SubjectKind.BOOTSTRAP, holder="bootstrap"
    )
    return parts.authenticator.authenticate(parts.authority.issue(request, actor="founding").der)


def export(place: Place, _say: Say) -> None:
    """An auditor asks for the bundle."""
    parts = Parts(place)
    published = LedgerPlace(place.folder / "ledger", parse_verifier_key(parts.vkey()), place.folder)
    bundle.export(parts.database, parts.clock, published, actor="person:wei-auditor")


def _officer(parts: Parts) -> Principal:
    return parts.authenticator.authenticate(parts.issue("sun-yue").der)


def _question(action: str) -> Question:
    return Question(authzen.PERSON, "li-wen", action, authzen.SYSTEM, "fin-budget")


def _escaped(issued: IssuedCertificate) -> str:
    """Return the certificate as nginx's ``$ssl_client_escaped_cert`` does."""
    mark = "-----END CERTIFICATE-----\n"
    return quote(issued.chain_pem.split(mark)[0] + mark, safe="")
