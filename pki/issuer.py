"""An authority that can sign: its certificate, its key in the token, and the octets it may put its name to."""

import hashlib
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from sqlmodel import Session

from core.identity import Serial
from hsm.client import SignerClient
from pki import tbs
from pki.errors import NotEstablished
from pki.models import Authority
from pki.tbs import Prepared

ROOT, ISSUING, OCSP = "root", "issuing", "ocsp"

#: The time-stamp authority; its generations are called ``tsa-1``, ``tsa-2`` … (``pki/tsa/generation.py``).
TSA = "tsa"


class Issuer:
    """One authority of ours."""

    def __init__(self, name: str, certificate: x509.Certificate, key: str, keys: SignerClient) -> None:
        """``key`` is the label in the token; the certificate's key must be a P-256 key."""
        self.name = name
        self.certificate = certificate
        self.public_key = as_p256(certificate.public_key())
        self._key = key
        self._keys = keys

    def sign(self, prepared: Prepared) -> bytes:
        """Sign a prepared certificate in the token and return it whole (DER), verified."""
        return tbs.assemble(prepared, self.sign_octets(prepared.tbs), self.public_key)

    def sign_octets(self, octets: bytes) -> bytes:
        """Sign the SHA-256 of ``octets`` in the token (DER ECDSA-Sig-Value)."""
        return sign_with(self._keys, self._key, octets)


def sign_with(keys: SignerClient, label: str, octets: bytes) -> bytes:
    """Sign the SHA-256 of ``octets`` with the key ``label`` of the token (DER ECDSA-Sig-Value)."""
    return keys.sign(label, hashlib.sha256(octets).digest())


def as_p256(key: object) -> ec.EllipticCurvePublicKey:
    """Return ``key`` as what every authority's key here is."""
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def load(session: Session, name: str, keys: SignerClient) -> Issuer:
    """Return an established authority; raises ``NotEstablished``."""
    row = get(session, name)
    return Issuer(name, x509.load_der_x509_certificate(row.der), row.key, keys)


def get(session: Session, name: str) -> Authority:
    """Return an authority's row; raises ``NotEstablished``."""
    row = session.get(Authority, name)
    if row is None:
        raise NotEstablished(f"there is no authority `{name}`", hint="make the site with `guosuo init`")
    return row


def new_serial(random: Callable[[int], bytes]) -> Serial:
    """Return a random serial number of 20 octets, the first from 01 to 7f (RFC 5280, 4.1.2.2)."""
    octets = random(20)
    first = octets[0] & 0x7F or 0x01
    return Serial(bytes([first, *octets[1:]]).hex())
