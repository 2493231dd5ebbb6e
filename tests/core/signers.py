"""People with keys and certificates of their own, and how they sign: what a client does, done by hand."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from sqlmodel import Session

from core.clock import Clock, to_rfc3339
from core.identity import DomainId, OrganisationId, Principal, Serial, SubjectKind
from core.registry.credential import Credential, CredentialStanding
from core.signed import Statement
from core.signing import Peer, Signature
from tests.clock import ManualClock

ORIGIN = "guosuo.example/evidence"

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def sign(key: Key, text: bytes) -> bytes:
    match key:
        case ec.EllipticCurvePrivateKey():
            return key.sign(text, ec.ECDSA(hashes.SHA384() if key.key_size == 384 else hashes.SHA256()))
        case rsa.RSAPrivateKey():
            scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
            return key.sign(text, scheme, hashes.SHA256())
        case _:
            return key.sign(text)


def certify(key: Key, name: str, at: datetime) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.USER_ID, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(at).not_valid_after(at + timedelta(days=365))
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


@dataclass
class Signer:
    """One person with a key; ``peer`` is what the service sees of them at a time."""

    person: str
    key: Key
    certificate: bytes
    serial: str

    def peer(self, at: datetime, origin: str = ORIGIN, clock: Clock | None = None) -> Peer:
        principal = Principal(
            kind=SubjectKind.PERSON,
            identifier=self.person,
            name=self.person,
            organisation=OrganisationId(""),
            domain=DomainId(""),
            issuer="issuing",
            serial=Serial(self.serial),
        )
        return Peer(principal, self.certificate, origin, at, CredentialStanding(), clock or ManualClock(at))

    def sign(self, act: str, object_: str, digest: str, at: datetime, *, origin: str = ORIGIN) -> Signature:
        text = Statement(act, object_, digest, self.person, at, origin).text
        return Signature(at=to_rfc3339(at), signature=base64.b64encode(sign(self.key, text.encode())).decode())


def certified(session: Session, person: str, at: datetime) -> Signer:
    """Give a person of the register a key and a good certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    der = certify(key, person, at)
    found = x509.load_der_x509_certificate(der)
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    row = Credential(
        serial=f"{found.serial_number:040x}",
        issuer="issuing",
        holder_kind="person",
        holder=person,
        domain="site",
        profile="person",
        certificate_sha256=hashlib.sha256(der).hexdigest(),
        spki_sha256=hashlib.sha256(spki).hexdigest(),
        not_before=at,
        not_after=at + timedelta(days=365),
    )
    session.add(row)
    session.flush()
    return Signer(person, key, der, row.serial)
