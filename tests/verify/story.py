"""A small history with real certificates, told as events: what the verifier's cross-checks go over (演练样本)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from core.ledger.entry import Event, JsonValue
from core.registry.credential import Credential
from pki import events
from pki.models import Authority as AuthorityRow
from pki.models import IssuanceIntent

START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


@dataclass
class Authority:
    """A key and its certificate."""

    title: str
    serial: int
    above: "Authority | None" = None
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        signer = self.above or self
        self.certificate = certificate(
            self.key.public_key(), self.title, self.serial, signer.title, signer.key, authority=True
        )
        self.der = self.certificate.public_bytes(Encoding.DER)


def certificate(
    key: ec.EllipticCurvePublicKey,
    subject: str,
    serial: int,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    *,
    authority: bool = False,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .serial_number(serial)
        .public_key(key)
        .not_valid_before(START - DAY if authority else START)
        .not_valid_after(START + (3650 if authority else 90) * DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    return builder.sign(signer, hashes.SHA256())


ROOT = Authority("Root CA", 0x11 << 152 | 1)
ISSUING = Authority("Issuing CA", 0x11 << 152 | 2, ROOT)


def serial_text(number: int) -> str:
    return f"{0x22 << 152 | number:040x}"


@dataclass
class Issue:
    """One certificate on its way: the events of its life, each to be told or left out."""

    number: int
    holder: str = "li-wen"
    issuer: Authority = field(default_factory=lambda: ISSUING)
    authority: bool = False

    def __post_init__(self) -> None:
        self.serial = serial_text(self.number)
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        self.certificate = certificate(
            key, self.holder, int(self.serial, 16), self.issuer.title, self.issuer.key, authority=self.authority
        )
        self.der = self.certificate.public_bytes(Encoding.DER)
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.credential = Credential(
            serial=self.serial,
            issuer="issuing",
            holder_kind="person",
            holder=self.holder,
            domain="outer-finance",
            profile="person",
            certificate_sha256=hashlib.sha256(self.der).hexdigest(),
            spki_sha256=hashlib.sha256(spki).hexdigest(),
            not_before=self.certificate.not_valid_before_utc,
            not_after=self.certificate.not_valid_after_utc,
        )

    def intended(self) -> Event:
        return events.intended(intent(self.serial, "issuing", self.holder))

    def abandoned(self) -> Event:
        return events.abandoned(intent(self.serial, "issuing", self.holder))

    @property
    def object(self) -> str:
        return f"certificate:{self.serial}"

    def issued(self, **changed: JsonValue) -> Event:
        return with_details(events.issued(self.credential, self.der, actor="zhao-min"), changed)

    def revoked(self, **changed: JsonValue) -> Event:
        made = events.revoked(self.credential, "key-compromise", since=None, actor="zhao-min")
        return with_details(made, changed)

    def held(self) -> Event:
        until = self.certificate.not_valid_after_utc
        return events.held(self.credential, until, since=self.certificate.not_valid_before_utc, actor="zhao-min")

    def released(self) -> Event:
        return events.released(self.credential, actor="zhao-min")


def with_details(event: Event, changed: Mapping[str, JsonValue]) -> Event:
    details = {**event.details, **changed}
    return Event(event.type, event.actor, event.object, event.domain, event.result, details)


def intent(serial: str, issuer: str, holder: str) -> IssuanceIntent:
    return IssuanceIntent(
        serial=serial,
        issuer=issuer,
        profile="person",
        holder_kind="person",
        holder=holder,
        domain="outer-finance",
        actor="zhao-min",
        at=START,
        tbs=b"",
    )


def founding() -> list[Event]:
    told: list[Event] = []
    for word, made in (("root", ROOT), ("issuing", ISSUING)):
        serial = f"{made.serial:040x}"
        spki = made.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        told.append(events.intended(intent(serial, "root", word)))
        row = AuthorityRow(name=word, key=f"{word}-ca", serial=serial, der=made.der, issuer="root")
        told.append(events.authority_made(row, hashlib.sha256(spki).hexdigest(), actor="founding"))
    return told


def made(word: str, authority: Authority, issuer: str) -> list[Event]:
    """An authority that came later: its intention and its certificate."""
    serial = f"{authority.serial:040x}"
    spki = authority.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    row = AuthorityRow(name=word, key=word, serial=serial, der=authority.der, issuer=issuer)
    told = events.authority_made(row, hashlib.sha256(spki).hexdigest(), actor="lu-security")
    return [events.intended(intent(serial, issuer, word)), told]


def request_id(number: int) -> str:
    return f"{number:032x}"


def decision(issue: Issue, number: int, *, allowed: bool = True, actor: str = "") -> Event:
    details = {
        "action": "read",
        "resource": "record/budget",
        "reason": "permitted" if allowed else "forbidden",
        "policies": [],
        "errors": [],
        "policy_digest": "",
        "request_id": request_id(number),
        "serial": issue.serial,
        "asked_by": "device:gate-finance",
    }
    return Event(
        "authz.decision.made",
        actor or issue.holder,
        "system:finance",
        "outer-finance",
        "done" if allowed else "refused",
        details,
    )


def alert(issue: Issue, number: int, **changed: JsonValue) -> Event:
    details: dict[str, JsonValue] = {
        "marking": "机密",
        "state": "named",
        "request_id": request_id(number),
        "serial": issue.serial,
        "person": issue.holder,
        **changed,
    }
    return Event("monitor.leak.found", "device:sensor-1", f"alert:{number:032x}", "outer-finance", details=details)


def crl(number: int) -> Event:
    return events.crl_published("issuing", number, number, 1)


def whole() -> list[Event]:
    """A history in which everything holds."""
    li, wang = Issue(1), Issue(2, "wang-fang")
    return [
        *founding(),
        crl(1),
        li.intended(),
        li.issued(),
        wang.intended(),
        wang.issued(),
        decision(li, 1),
        decision(wang, 2),
        decision(wang, 3, allowed=False),
        alert(li, 1),
        alert(li, 9, state="unknown", person="", serial="", request_id=""),
        Issue(3).intended(),
        Issue(3).abandoned(),
        li.revoked(),
        crl(2),
        decision(li, 4, allowed=False),
        decision(wang, 5),
    ]
