"""An authority that can sign: its certificate, its key in the token, and the octets it may put its name to."""

import hashlib
from collections.abc import Callable, Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from sqlmodel import Session

from core.identity import Serial
from hsm.client import SignerClient
from pki import tbs
from pki.errors import BrokenProof, NotEstablished
from pki.models import Authority
from pki.tbs import Prepared, Press

ROOT, ISSUING, OCSP = "root", "issuing", "ocsp"

#: What signs messages of the certificate management protocol: an authority's own key may not (RFC 9483, 3.2).
CMP = "cmp"

#: The time-stamp authority; its generations are called ``tsa-1``, ``tsa-2`` … (``pki/tsa/generation.py``).
TSA = "tsa"


def is_sharded(name: str) -> bool:
    """Say whether an authority's lists are divided: an issuing authority's are, a root revokes so little."""
    return name.partition("-")[0] == ISSUING


class Issuer:
    """One authority of ours."""

    def __init__(self, name: str, certificate: x509.Certificate, key: str, keys: SignerClient) -> None:
        """``key`` is the label in the token; the certificate's key must be a P-256 key."""
        self.name = name
        self.certificate = certificate
        self.public_key = as_p256(certificate.public_key())
        self._key = key
        self._keys = keys

    def sign(self, press: Press, prepared: Prepared, *, request: str) -> bytes:
        """Sign a prepared certificate in the token and return it whole (DER), verified. Raises ``NotPrepared``."""
        (der,) = self.sign_all(press, [(prepared, request)])
        return der

    def sign_all(self, press: Press, prepared: Sequence[tuple[Prepared, str]]) -> list[bytes]:
        """Sign prepared certificates, each for its request, as ``sign`` does."""
        octets = [press.redeem(one, request=request) for one, request in prepared]
        signatures = self._keys.sign_all(self._key, [hashlib.sha256(one).digest() for one in octets])
        return [
            tbs.assemble(one, signature, self.public_key) for one, signature in zip(octets, signatures, strict=True)
        ]

    def sign_octets(self, octets: bytes) -> bytes:
        """Sign the SHA-256 of ``octets`` in the token (DER ECDSA-Sig-Value)."""
        return sign_with(self._keys, self._key, octets)

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a SHA-256 digest in the token and return the signature (DER ECDSA-Sig-Value), verified.

        Raises ``BrokenProof`` when it does not verify.
        """
        signature = self._keys.sign(self._key, digest)
        try:
            self.public_key.verify(signature, digest, ec.ECDSA(Prehashed(hashes.SHA256())))
        except InvalidSignature as error:
            raise BrokenProof("the authority's signature does not verify; nothing is published") from error
        return signature


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


def name_of(session: Session, name: str) -> bytes:
    """Return an authority's own name (Name, DER); raises ``NotEstablished``."""
    return x509.load_der_x509_certificate(get(session, name).der).subject.public_bytes()


def new_serial(random: Callable[[int], bytes]) -> Serial:
    """Return a random serial number of 20 octets, the first from 01 to 7f (RFC 5280, 4.1.2.2)."""
    octets = random(20)
    first = octets[0] & 0x7F or 0x01
    return Serial(bytes([first, *octets[1:]]).hex())
