"""The OCSP responder (RFC 6960, 5019): good, revoked, on hold, or unknown; signed ahead for what is asked often.

An answer that was signed before is given again only while the store says the same: ``Feed`` looks for changes ten times
a second, and when it has not for 0.4 s the store itself is asked. What answers a nonce is signed for it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlmodel import Session

from core.clock import Clock
from core.database import Database
from core.errors import TrustError, Unavailable
from core.identity import Serial
from hsm.client import SignerClient
from pki import issuer, ocsp_message, plan, reason, standing
from pki.errors import NotEstablished
from pki.issuer import ISSUING, Issuer
from pki.ocsp_message import CertId, Failure, Question, Status
from pki.ocsp_store import Answer, Answers

#: How long an answer may be kept; one that was signed ahead is signed anew at half of that.
VALIDITY = timedelta(minutes=5)

#: How long the responder's certificate is taken for current before it is looked at again.
_LOOK = timedelta(minutes=1)

#: An authority that nobody knows may be a new one: who asks for it has the store looked at so often.
_NEW = timedelta(seconds=1)

_UNKNOWN = Status("unknown")

_HASHES: Mapping[bytes, hashes.HashAlgorithm] = {
    ocsp_message.SHA1: hashes.SHA1(),  # noqa: S303  # names the issuer in a request, protects nothing (RFC 6960, 4.1.1)
    ocsp_message.SHA256: hashes.SHA256(),
}


@dataclass(frozen=True, slots=True)
class _Signing:
    """Who answers for the authority ``name``; ``known`` are that one's name and key hashes, by algorithm."""

    name: str
    responder: Issuer
    certificate: bytes
    key_hash: bytes
    known: Mapping[bytes, tuple[bytes, bytes]]


class OcspResponder:
    """Answers for each issuing authority with a delegated key of the token, its own."""

    def __init__(self, *, database: Database, keys: SignerClient, clock: Clock) -> None:
        """Prepare; certificates of authorities and responders are read at the first request, and once a minute."""
        self._database = database
        self._keys = keys
        self._clock = clock
        self._signing: Sequence[_Signing] = ()
        self._looked_at: datetime | None = None
        self.answers = Answers()

    def respond(self, content: bytes) -> bytes:
        """Return the DER answer to a DER request; what cannot be read or answered now gets an OCSP error, not ours."""
        return self.answer(content).content

    def answer(self, content: bytes) -> Answer:
        """As ``respond``, with what a cache must know. An answer that is signed already is held against the store."""
        try:
            return self._kept(content) or self._made(content)
        except Unavailable:
            # Store or signer: whoever asks knows what to do with tryLater, and nothing else (RFC 6960, 2.3).
            return _failed(Failure.TRY_LATER)
        except TrustError:
            return _failed(Failure.INTERNAL_ERROR)

    def renew(self, contents: list[bytes]) -> None:
        """Sign anew what is asked often and will soon be too old. Raises ``Unavailable``."""
        for content in contents:
            self._made(content)

    def _kept(self, content: bytes) -> Answer | None:
        kept = self.answers.find(content, self._clock.now())
        if kept is None:
            return None
        with self._database.read() as session:
            return kept if kept.serial and _status(session, kept.serial) == kept.status else None

    def _made(self, content: bytes) -> Answer:
        try:
            question = ocsp_message.parse(content)
        except ValueError:
            return _failed(Failure.MALFORMED_REQUEST)
        signing = self._find(question)
        if signing is None or not question.understood:
            return _failed(Failure.UNAUTHORIZED)
        return self._signed(content, question, signing)

    def _signed(self, content: bytes, question: Question, signing: _Signing) -> Answer:
        mark = self.answers.mark()
        now = self._clock.now().replace(microsecond=0)
        until = now + VALIDITY
        with self._database.read() as session:
            said = [
                _status(session, Serial(f"{one.serial:040x}"), signing.name) if _is_ours(one, signing) else _UNKNOWN
                for one in question.about
            ]
        singles = [ocsp_message.single(*one, now, until) for one in zip(question.about, said, strict=True)]
        data = ocsp_message.response_data(signing.key_hash, now, singles, question.nonce)
        signature = signing.responder.sign_digest(hashlib.sha256(data).digest())
        octets = ocsp_message.response(data, signature, signing.certificate)
        if question.nonce is not None:
            return Answer(octets)
        serial = Serial(f"{question.about[0].serial:040x}")
        answer = Answer(octets, serial=serial, status=said[0], this_update=now, next_update=until)
        if question.plain and said[0].word != "unknown":
            # Unknown is not kept: it may be issued in the next moment, and anybody can think of any number. Nor is what
            # is not plain: of one question anybody can think of any number of forms.
            self.answers.keep(content, answer, mark)
        return answer

    def _find(self, question: Question) -> _Signing | None:
        """Return who answers: for the first authority of ours that is asked about. Of the others nothing is known."""
        for age in (_LOOK, _NEW):
            known = self._current(age)
            for one in question.about:
                if (signing := next((by for by in known if _is_ours(one, by)), None)) is not None:
                    return signing
        return None

    def _current(self, age: timedelta) -> Sequence[_Signing]:
        now = self._clock.now()
        if self._looked_at is None or not timedelta(0) <= now - self._looked_at < age:
            with self._database.read() as session:
                self._signing, self._looked_at = self._load(session), now
        return self._signing

    def _load(self, session: Session) -> list[_Signing]:
        names = [one.name for one in plan.serving(session) if one.kind == ISSUING]
        if not names:
            raise NotEstablished("there is no issuing authority", hint="make the site with `guosuo init`")
        return [self._load_one(session, name) for name in names]

    def _load_one(self, session: Session, name: str) -> _Signing:
        authority = x509.load_der_x509_certificate(issuer.get(session, name).der)
        responder = issuer.load(session, plan.responder(name), self._keys)
        _name, key_hash = issuer_hashes(responder.certificate, _HASHES[ocsp_message.SHA1])
        known = {oid: issuer_hashes(authority, algorithm) for oid, algorithm in _HASHES.items()}
        return _Signing(name, responder, responder.certificate.public_bytes(Encoding.DER), key_hash, known)


def issuer_hashes(authority: x509.Certificate, algorithm: hashes.HashAlgorithm) -> tuple[bytes, bytes]:
    """Return the hashes of an issuer's name and of its key's bits, by which a request names it (RFC 6960, 4.1.1)."""
    point = issuer.as_p256(authority.public_key()).public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return _hash(authority.subject.public_bytes(), algorithm), _hash(point, algorithm)


def _is_ours(one: CertId, signing: _Signing) -> bool:
    return signing.known.get(one.algorithm) == (one.name_hash, one.key_hash)


def _status(session: Session, serial: Serial, authority: str = "") -> Status:
    """Return what the store says now of a serial number of an authority; on hold is revoked for a reason."""
    found = standing.of(session, serial, authority)
    if found.since is None:
        return Status(found.state)
    return Status("revoked", found.since.replace(microsecond=0), reason.listed_code(found.reason))


def _hash(content: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(content)
    return digest.finalize()


def _failed(status: Failure) -> Answer:
    return Answer(ocsp_message.failure(status))
