"""The time-stamp authority: a serial number and a time on record, then the signature, then the outcome on record.

Times never repeat and never go back within a generation: whoever comes next waits for the generation's row, and reads
the clock when it has it.
"""

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from asn1crypto import core as asn1
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import Session, col, select

from core.clock import Clock, as_recorded
from core.database import Database
from core.errors import TrustError
from core.ledger import evidence
from hsm.client import SignerClient
from pki import chain, issuer
from pki.errors import BrokenProof
from pki.models import Authority
from pki.tsa import events, generation, request, response, token
from pki.tsa.errors import Failure, StampRefused
from pki.tsa.generation import Generation
from pki.tsa.models import StampState, TimeStamp
from pki.tsa.request import Query
from pki.tsa.settings import TsaSettings

#: The least that lies between two tokens: times are told in milliseconds.
_TICK = timedelta(milliseconds=1)

#: That the clock cannot be trusted is recorded at most this often.
_TOLD_EVERY = timedelta(hours=1)


class Synchrony(Protocol):
    """Says whether the machine's clock follows another one that is right."""

    def is_kept(self, within: timedelta) -> bool:
        """Say whether it is known to be no further than ``within`` from the true time."""
        ...


@dataclass(frozen=True, slots=True)
class _Intended:
    """What is on record and may be signed: ``attributes``, once."""

    row: TimeStamp
    by: Generation
    info: bytes
    attributes: bytes
    shown: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Standing:
    """How the authority is; ``trouble`` says why it gives no token now, and is empty when it does."""

    generation: Generation
    now: datetime
    newest: datetime | None
    trouble: str


class TimeStampAuthority:
    """Answers requests; safe for many threads and processes over one store."""

    def __init__(
        self,
        *,
        database: Database,
        keys: SignerClient,
        clock: Clock,
        random: Callable[[int], bytes],
        settings: TsaSettings,
        synchrony: Synchrony,
    ) -> None:
        """Prepare; the generation in use is read at each request, because the worker makes the next one."""
        self._database = database
        self._keys = keys
        self._clock = clock
        self._random = random
        self._settings = settings
        self._synchrony = synchrony
        self._policy = bytes(asn1.ObjectIdentifier(settings.policy).dump())
        self._telling = threading.Lock()
        self._told: datetime | None = None

    def respond(self, content: bytes) -> bytes:
        """Return the DER answer to a DER request: a token, or why there is none. Raises nothing of ours."""
        try:
            return response.granted(self._stamp(content))
        except StampRefused as refused:
            return response.rejected(refused.failure, refused.detail)
        except TrustError as error:
            # Store, signer or authority: what is wrong in here is no business of whoever asks.
            return response.rejected(Failure.SYSTEM_FAILURE, f"no token can be given now ({error.word})")

    def standing(self) -> Standing:
        """Return how the authority is. Raises ``NotEstablished``."""
        now = self._clock.now()
        with self._database.read() as session:
            by = generation.current(session, now)
            newest = _newest(session, by.name)
        try:
            self._next_time(by, now, newest)
        except StampRefused as refused:
            return Standing(by, now, newest, refused.detail)
        return Standing(by, now, newest, "")

    def _stamp(self, content: bytes) -> bytes:
        query = request.parse_request(content)
        if query.policy not in (None, self._policy):
            raise StampRefused(
                Failure.UNACCEPTED_POLICY, f"tokens are given under the policy {self._settings.policy} only"
            )
        try:
            intended = self._intend(query)
        except StampRefused as refused:
            if refused.failure is Failure.TIME_NOT_AVAILABLE:
                self._tell(refused.detail)
            raise
        # A crash here leaves a serial number and a time that are never used again, and no token.
        signature = self._sign(intended)
        made = token.assemble(intended.info, intended.attributes, signature, intended.by.certificate, intended.shown)
        # A crash here leaves a token that nobody was handed, on record as intended.
        self._conclude(intended.row, made)
        # A crash here leaves a token on record that its asker did not get: asking again gives another.
        return made

    def _intend(self, query: Query) -> _Intended:
        """Take a serial number and the next time, and record what will be signed."""
        serial = issuer.new_serial(self._random)
        with self._database.write() as session:
            by = generation.current(session, self._clock.now())
            # One at a time, so that times only grow (SQLite: by the write lock).
            session.get_one(Authority, by.name, with_for_update=True)
            at = self._next_time(by, self._clock.now(), _newest(session, by.name))
            stamp = token.Stamp(
                serial=serial,
                at=at,
                accuracy=self._settings.accuracy,
                imprint=query.imprint,
                policy=self._policy,
                nonce=query.nonce,
                name=by.certificate.subject.public_bytes(),
            )
            info = token.tst_info(stamp)
            attributes = token.signed_attributes(info, by.certificate)
            row = TimeStamp(
                serial=serial,
                authority=by.name,
                at=at,
                policy=self._settings.policy,
                algorithm=query.algorithm,
                imprint=query.hashed.hex(),
                attributes_sha256=hashlib.sha256(attributes).hexdigest(),
            )
            intended = _Intended(row, by, info, attributes, _shown(session, by) if query.certificates else ())
            session.add(row)
            evidence.append(session, events.intended(row), at=self._clock.now())
        return intended

    def _next_time(self, by: Generation, now: datetime, newest: datetime | None) -> datetime:
        """Return a time later than every one before, and no further from now than the accuracy that is promised."""
        if not self._settings.synchronised or self._synchrony.is_kept(self._settings.accuracy):
            if now > by.until:
                raise StampRefused(Failure.SYSTEM_FAILURE, "the time-stamp authority's key has had its time")
            at = as_recorded(now) if newest is None else max(as_recorded(now), newest + _TICK)
            if by.certificate.not_valid_before_utc <= now and at - now <= self._settings.accuracy:
                return at
            raise StampRefused(Failure.TIME_NOT_AVAILABLE, "the clock went back")
        raise StampRefused(Failure.TIME_NOT_AVAILABLE, "the clock is not known to be right")

    def _sign(self, intended: _Intended) -> bytes:
        signature = issuer.sign_with(self._keys, intended.by.key, intended.attributes)
        public = issuer.as_p256(intended.by.certificate.public_key())
        try:
            public.verify(signature, intended.attributes, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature as error:
            raise BrokenProof("the time-stamp authority's signature does not verify; nothing is handed out") from error
        return signature

    def _conclude(self, row: TimeStamp, made: bytes) -> None:
        with self._database.write() as session:
            stamp = session.get_one(TimeStamp, row.serial)
            stamp.state, stamp.token_sha256 = StampState.GRANTED.value, hashlib.sha256(made).hexdigest()
            session.add(stamp)
            evidence.append(session, events.granted(stamp), at=self._clock.now())

    def _tell(self, reason: str) -> None:
        """Record that no token was given for want of a time; who asks again and again fills no log."""
        now = self._clock.now()
        with self._telling:
            if self._told is not None and abs(now - self._told) < _TOLD_EVERY:
                return
            with self._database.write() as session:
                evidence.append(session, events.withheld(generation.current(session, now).name, reason), at=now)
            # A crash here leaves a record of a refusal that nobody was told: asking again is refused again.
            self._told = now


def _newest(session: Session, name: str) -> datetime | None:
    times = select(TimeStamp.at).where(TimeStamp.authority == name).order_by(col(TimeStamp.at).desc())
    return session.exec(times.limit(1)).first()


def _shown(session: Session, by: Generation) -> list[bytes]:
    """Return the certificates that lead to the root; without one of them the wish for them cannot be met."""
    row = session.get(Authority, by.name)
    above = session.get(Authority, row.issuer) if row else None
    if above is None:
        raise StampRefused(Failure.ADD_INFO_NOT_AVAILABLE, "the certificates that were asked for are not there")
    return [by.certificate.public_bytes(Encoding.DER), *chain.above(session, above.name)]
