"""The to-be-signed certificate, from its preparation to its signature: what was not linted cannot be signed.

A ``Press`` prepares: it lints what is to be signed and gives out a ``Prepared`` for it. That object is the token with
which the very same octets can be signed, once, for the same request, in this process; there is no other way to a
signature, and none to a second one (the idea is Boulder's linting certificate).
"""

import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from core.identity import Serial
from pki import der, lint
from pki.errors import BadRequest, BrokenProof, LintFailed, NotPrepared
from pki.lint import Meant


@dataclass(frozen=True, slots=True)
class AuthorityContent:
    """Everything an authority's own certificate says; extensions in the order they are written, with criticality."""

    serial: Serial
    issuer: x509.Name
    subject: x509.Name
    not_before: datetime
    not_after: datetime
    spki: bytes
    extensions: Sequence[tuple[x509.ExtensionType, bool]]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Prepared:
    """A linted to-be-signed certificate (DER) of one serial number, for one request (its digest)."""

    serial: Serial
    tbs: bytes
    request: str


class Press:
    """Prepares what may be signed, and lets each be signed once. Safe for many threads."""

    def __init__(self) -> None:
        """Begin with nothing prepared."""
        self._mutex = threading.Lock()
        #: INVARIANT: holds exactly what was linted here and not yet signed; what nobody holds any more goes by itself.
        self._open: weakref.WeakSet[Prepared] = weakref.WeakSet()

    def prepare(self, tbs: bytes, meant: Meant, *, request: str) -> Prepared:
        """Lint a holder's certificate. Raises ``LintFailed``."""
        lint.check(tbs, meant)
        return self._admit(meant.filling.serial, tbs, request)

    def prepare_authority(self, content: AuthorityContent) -> Prepared:
        """Build an authority's certificate with ``cryptography``, and lint. Raises ``LintFailed``."""
        linting = _build(content)
        _check_authority(content, linting)
        return self._admit(content.serial, linting.tbs_certificate_bytes, content.serial)

    def redeem(self, prepared: Prepared, *, request: str) -> bytes:
        """Return the octets to be signed; raises ``NotPrepared`` for what was not prepared here for this request."""
        with self._mutex:
            known = prepared in self._open
            self._open.discard(prepared)
        if not known or prepared.request != request:
            raise NotPrepared(f"the certificate {prepared.serial} was not prepared for this, or was signed before")
        return prepared.tbs

    def _admit(self, serial: Serial, tbs: bytes, request: str) -> Prepared:
        prepared = Prepared(serial, tbs, request)
        with self._mutex:
            self._open.add(prepared)
        return prepared


def assemble(tbs: bytes, signature: bytes, issuer: ec.EllipticCurvePublicKey) -> bytes:
    """Return the certificate (DER) of ``tbs``. Raises ``BrokenProof`` when the signature does not verify."""
    try:
        issuer.verify(signature, tbs, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise BrokenProof("the authority's signature does not verify; nothing is handed out") from error
    certificate = der.signed(tbs, signature)
    if x509.load_der_x509_certificate(certificate).tbs_certificate_bytes != tbs:
        raise BadRequest("the certificate that came out is not the one that was prepared")
    return certificate


def _build(content: AuthorityContent) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .serial_number(int(content.serial, 16))
        .issuer_name(content.issuer)
        .subject_name(content.subject)
        .not_valid_before(content.not_before)
        .not_valid_after(content.not_after)
        .public_key(load_der_public_key(content.spki))  # type: ignore[arg-type]  # an authority's key is of the token
    )
    for value, critical in content.extensions:
        builder = builder.add_extension(value, critical=critical)
    # The key of the linting certificate is thrown away: nothing it signs is ever stored or sent.
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())


def _check_authority(content: AuthorityContent, certificate: x509.Certificate) -> None:
    """Hold a built authority's certificate against what was meant and against RFC 5280, 4.1.2."""
    serial = bytes.fromhex(content.serial)
    faults = [
        message
        for holds, message in (
            (certificate.version is x509.Version.v3, "it is not a version 3 certificate"),
            (len(serial) == 20 and 0 < serial[0] < 0x80, "its serial number is not of 20 octets and positive"),
            (certificate.serial_number == int(content.serial, 16), "its serial number is another"),
            (certificate.subject == content.subject, "its subject is another"),
            (certificate.not_valid_after_utc > certificate.not_valid_before_utc, "its validity is empty"),
            (len(list(certificate.extensions)) == len(content.extensions), "its extensions are others"),
        )
        if not holds
    ]
    if faults:
        raise LintFailed(f"the certificate does not pass the lint: {faults[0]}")
