"""Redeem a one-time code: the one thing that somebody without a certificate may do here.

1. The code is looked up and its secret compared; that takes as long for a code that there is not.
2. The request is judged as every request is (``CertificateAuthority.check``), before anything is written.
3. In one transaction the code is used and the request filed at the desk, in the name of who made the code; or the try
   is counted and recorded.

Whoever is refused is told the same, whatever the reason: that stands in the record. From then on a ticket asks how far
the request is; showing the code again with the very same request gives a new ticket, so that nobody is stuck.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session, select

from core.clock import Clock
from core.database import Database
from core.errors import Malformed, NotFound, TrustError, Unavailable
from core.identity import Serial
from core.ledger import evidence
from core.pace import Pace
from pki import certified, csr, desk, enrolment, events, onetime
from pki.errors import CodeRefused
from pki.issuance import CertificateAuthority
from pki.models import DeskRequest, EnrolmentCode
from pki.onetime import Code, CodeState, Kept
from pki.request import IssuanceRequest

#: Codes shown from one address in a minute, and from everywhere: beyond that nobody is heard.
_FROM_ONE, _FROM_ALL = 10, 120

#: Questions about tickets from everywhere in a minute: one costs what any reading costs.
_TICKETS = 3_000

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a request is; ``chain`` (PEM) is there when it is issued, ``comment`` what an officer said."""

    request: str
    state: str
    waits_for: str
    holder: str
    profile: str
    comment: str
    serial: str = ""
    chain: str = ""


class Redemption:
    """Takes codes. Safe for many threads."""

    def __init__(
        self, *, database: Database, authority: CertificateAuthority, clock: Clock, random: Callable[[int], bytes]
    ) -> None:
        """File at the desk what ``authority`` would issue."""
        self._database = database
        self._authority = authority
        self._clock = clock
        self._random = random
        self._one = Pace(clock=clock, most=_FROM_ONE, within=_MINUTE)
        self._all = Pace(clock=clock, most=_FROM_ALL, within=_MINUTE)
        self._tickets = Pace(clock=clock, most=_TICKETS, within=_MINUTE)

    def admits_code(self, address: str) -> bool:
        """Say whether somebody at an address may show a code now, and count it."""
        return self._one.admits(address) and self._all.admits("")

    def admits_ticket(self) -> bool:
        """Say whether another question about a ticket is heard now, and count it."""
        return self._tickets.admits("")

    def redeem(self, text: str, certification_request: bytes) -> tuple[str, Progress]:
        """Use a code for a request; return a ticket, and how far the request is.

        Raises ``CodeRefused`` (recorded, one and the same for every reason); for a code that is good, also the refusal
        with which issuing would answer (recorded; it counts as a try).
        """
        content = csr.normalise(certification_request)
        code = _read(text)
        # 1.
        known = self._find(code)
        right = onetime.is_right(code, known.salt if known else None, known.verifier if known else None)
        request = _request(known, content) if known else None
        digest = request.digest if request else ""
        good = onetime.judge(_kept(known), right=right, digest=digest, now=self._clock.now()) == ""
        # 2.
        if known and request and good and known.state == CodeState.OPEN:
            self._check(request, known)
        # 3.
        ticket = self._random(32).hex()
        with self._database.write() as session:
            filed = self._use(session, code, request, right=right, ticket=ticket)
        # A crash here leaves a used code and a filed request, or a counted try, that nobody was told of: the same code
        # with the same request gets another ticket; a try that is made again is counted again.
        if filed is None:
            raise CodeRefused(
                "this code opens nothing: it is mistyped, used, over, withdrawn or none at all",
                hint="type it again once; then ask whoever gave it to you for another",
            )
        return ticket, self._progress(filed)

    def progress(self, ticket: str) -> Progress:
        """Say how far the request of a ticket is. Raises ``NotFound``."""
        with self._database.read() as session:
            hashed = hashlib.sha256(ticket.encode()).hexdigest()
            row = session.exec(select(EnrolmentCode).where(EnrolmentCode.ticket_sha256 == hashed)).first()
            filed = session.get(DeskRequest, row.request) if row else None
        if filed is None:
            raise NotFound("there is no request for this ticket", hint="show the code again, with the same request")
        return self._progress(filed)

    def _find(self, code: Code | None) -> EnrolmentCode | None:
        with self._database.read() as session:
            return session.get(EnrolmentCode, code.name) if code else None

    def _check(self, request: IssuanceRequest, known: EnrolmentCode) -> None:
        """Raise, and count as a try, the refusal with which issuing would answer."""
        try:
            self._authority.check(request, actor="anonymous")
        except Unavailable:
            raise
        except TrustError as refusal:
            with self._database.write() as session:
                self._refuse(session, enrolment.locked(session, known.id), refusal.word)
            # A crash here leaves a counted try that nobody was told of: trying again is counted again.
            raise

    def _use(
        self, session: Session, code: Code | None, request: IssuanceRequest | None, *, right: bool, ticket: str
    ) -> DeskRequest | None:
        # What was read before the lock may be over: judged again as it is now.
        row = enrolment.locked(session, code.name) if code else None
        digest, at = (request.digest if request else ""), self._clock.now()
        reason = onetime.judge(_kept(row), right=right, digest=digest, now=at)
        if reason or row is None or request is None:
            self._refuse(session, row, reason)
            return None
        if row.state == CodeState.OPEN:
            filed = desk.blank(self._random(8).hex(), actor=row.maker, at=at, code=row.id)
            desk.enter(session, filed, request)
            row.state, row.ended_at, row.digest, row.request = CodeState.USED.value, at, digest, filed.id
            evidence.append(session, events.code_redeemed(row), at=at)
        row.ticket_sha256 = hashlib.sha256(ticket.encode()).hexdigest()
        session.add(row)
        filed_before = session.get(DeskRequest, row.request)
        if filed_before is None:
            # A restore keeps that a code was used, and not what waited at the desk.
            self._refuse(session, row, "lost-request")
        return filed_before

    def _refuse(self, session: Session, row: EnrolmentCode | None, reason: str) -> None:
        at = self._clock.now()
        if row is not None:
            state, row.tries = onetime.after_try(_known(row))
            if state.value != row.state:
                row.state, row.ended_at = state.value, at
            session.add(row)
        evidence.append(session, events.code_refused(row, reason), at=at)

    def _progress(self, filed: DeskRequest) -> Progress:
        said = Progress(
            request=filed.id,
            state=filed.state,
            waits_for=desk.NEXT.get(filed.state, ""),
            holder=filed.holder,
            profile=filed.profile,
            comment=filed.comment,
        )
        if not filed.serial:
            return said
        with self._database.read() as session:
            chain = certified.chain(session, Serial(filed.serial))
        return Progress(**{**_members(said), "serial": filed.serial, "chain": chain})


def _members(said: Progress) -> dict[str, str]:
    return {name: getattr(said, name) for name in Progress.__slots__}


def _read(text: str) -> Code | None:
    try:
        return onetime.parse_code(text)
    except Malformed:
        return None


def _kept(row: EnrolmentCode | None) -> Kept | None:
    return None if row is None else _known(row)


def _known(row: EnrolmentCode) -> Kept:
    return Kept(CodeState(row.state), row.expires_at, row.tries, row.digest)


def _request(row: EnrolmentCode, content: bytes) -> IssuanceRequest:
    return IssuanceRequest(content, row.profile, None, row.holder, tuple(enrolment.dns_names(row)))
