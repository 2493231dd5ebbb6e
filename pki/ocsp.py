"""The OCSP responder (RFC 6960): good, revoked, or unknown; an answer is never better than the store knows now."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from sqlmodel import Session

from core.clock import Clock
from core.database import Database
from core.errors import Unavailable
from core.identity import Serial
from core.registry import credential
from hsm.adapters import TokenEcKey
from hsm.client import SignerClient
from pki import issuer, reason
from pki.issuer import ISSUING, OCSP, Issuer
from pki.models import Revocation

#: Most octets of a request, and of a nonce in it (RFC 9654, 2.1).
LARGEST, LONGEST_NONCE = 4096, 128

#: How long an answer may be kept. Short, because ours are made when they are asked for.
_VALIDITY = timedelta(minutes=5)

_HASHES: Mapping[type[hashes.HashAlgorithm], hashes.HashAlgorithm] = {
    hashes.SHA1: hashes.SHA1(),  # noqa: S303  # names the issuer in a request, protects nothing (RFC 6960, 4.1.1)
    hashes.SHA256: hashes.SHA256(),
}


class OcspResponder:
    """Answers for the issuing authority with a delegated key of the token."""

    def __init__(self, *, database: Database, keys: SignerClient, clock: Clock) -> None:
        """Prepare; authority and responder certificate are read at the first request."""
        self._database = database
        self._keys = keys
        self._clock = clock
        self._signing: tuple[Issuer, x509.Certificate, TokenEcKey] | None = None

    def respond(self, content: bytes) -> bytes:
        """Return the DER answer to a DER request; what cannot be read or answered now gets an OCSP error, not ours."""
        try:
            return self._respond(content)
        except Unavailable:
            # Store or signer: whoever asks knows what to do with tryLater, and nothing else (RFC 6960, 2.3).
            return _failure(ocsp.OCSPResponseStatus.TRY_LATER)

    def _respond(self, content: bytes) -> bytes:
        if len(content) > LARGEST:
            return _failure(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        try:
            request = ocsp.load_der_ocsp_request(content)
            serial, algorithm = request.serial_number, _HASHES.get(type(request.hash_algorithm))
            nonce = _nonce(request)
        except (ValueError, x509.DuplicateExtension, UnsupportedAlgorithm, NotImplementedError):
            # The last is cryptography's word for a request about several certificates.
            return _failure(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        if serial < 0:
            # No certificate has a negative serial number, and none can be told of in an answer.
            return _failure(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        authority, certificate, key = self._keys_and_certificates()
        if algorithm is None or not _is_ours(request, authority, algorithm):
            return _failure(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        builder = self._answer(request, serial, algorithm).responder_id(ocsp.OCSPResponderEncoding.HASH, certificate)
        builder = builder.certificates([certificate])
        if nonce is not None:
            builder = builder.add_extension(nonce, critical=False)
        return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)

    def _answer(
        self, request: ocsp.OCSPRequest, serial: int, algorithm: hashes.HashAlgorithm
    ) -> ocsp.OCSPResponseBuilder:
        now = self._clock.now().replace(microsecond=0)
        status, at, word = self._status(serial)
        return ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=request.issuer_name_hash,
            issuer_key_hash=request.issuer_key_hash,
            serial_number=serial,
            algorithm=algorithm,
            cert_status=status,
            this_update=now,
            next_update=now + _VALIDITY,
            revocation_time=at,
            revocation_reason=reason.flag(word) if word else None,
        )

    def _status(self, number: int) -> tuple[ocsp.OCSPCertStatus, datetime | None, str]:
        serial = Serial(f"{number:040x}")
        with self._database.read() as session:
            revoked = session.get(Revocation, serial)
            if revoked is not None:
                return ocsp.OCSPCertStatus.REVOKED, revoked.at.replace(microsecond=0), revoked.reason
            found = credential.find(session, serial)
        status = ocsp.OCSPCertStatus.GOOD if found is not None else ocsp.OCSPCertStatus.UNKNOWN
        return status, None, ""

    def _keys_and_certificates(self) -> tuple[Issuer, x509.Certificate, TokenEcKey]:
        if self._signing is None:
            with self._database.read() as session:
                self._signing = self._load(session)
        return self._signing

    def _load(self, session: Session) -> tuple[Issuer, x509.Certificate, TokenEcKey]:
        responder = issuer.get(session, OCSP)
        key = TokenEcKey(self._keys, self._keys.get(responder.key))
        return issuer.load(session, ISSUING, self._keys), x509.load_der_x509_certificate(responder.der), key


def issuer_hashes(authority: x509.Certificate, algorithm: hashes.HashAlgorithm) -> tuple[bytes, bytes]:
    """Return the hashes of an issuer's name and of its key's bits, by which a request names it (RFC 6960, 4.1.1)."""
    point = issuer.as_p256(authority.public_key()).public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return _hash(authority.subject.public_bytes(), algorithm), _hash(point, algorithm)


def _is_ours(request: ocsp.OCSPRequest, authority: Issuer, algorithm: hashes.HashAlgorithm) -> bool:
    return (request.issuer_name_hash, request.issuer_key_hash) == issuer_hashes(authority.certificate, algorithm)


def _hash(content: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(content)
    return digest.finalize()


def _nonce(request: ocsp.OCSPRequest) -> x509.OCSPNonce | None:
    """Return the request's nonce; raises ``ValueError`` for one that is empty or longer than RFC 9654 allows."""
    for extension in request.extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            if not 1 <= len(extension.value.nonce) <= LONGEST_NONCE:
                raise ValueError("the nonce is empty or too long")
            return extension.value
    return None


def _failure(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
