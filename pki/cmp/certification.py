"""Certificates asked for, waited for and confirmed (RFC 9483, 4.1 and 4.4), each in a transaction of its own.

1. The transaction is begun, and that is committed: a message that comes twice is refused. 2. The authority judges and
issues, or the request is filed at the desk. 3. What came of it is entered, with the nonce that the machine will answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sqlmodel import Session

from core.clock import Clock
from core.database import Database
from core.errors import TrustError, Unavailable
from core.identity import Serial
from core.registry import credential
from pki import crmf, der, issuer
from pki.cmp import answer, body, failure, transaction
from pki.cmp.answer import ACCEPTED, CONFIRM_WAIT_TIME, IMPLICIT_CONFIRM, REJECTION, WAITING, Info
from pki.cmp.errors import OtherCertificate, WrongAuthority, WrongProtection
from pki.cmp.message import Kind, Message
from pki.cmp.shield import Reply
from pki.cmp.transaction import CONFIRM, Outcome
from pki.device.asker import Asker
from pki.device.door import Door
from pki.device.requesting import ASK_AGAIN, Filed, Given, Requesting
from pki.issuer import ISSUING, ROOT

Result = TypeVar("Result")

#: What each request is answered by.
ANSWERS: Mapping[int, Kind] = {Kind.IR: Kind.IP, Kind.CR: Kind.CP, Kind.P10CR: Kind.CP, Kind.KUR: Kind.KUP}

#: certReqId of what has none: a request of PKCS #10 (RFC 9483, 4.1.4).
_NONE = -1


@dataclass(frozen=True, slots=True)
class Certification:
    """Does it. Safe for many threads."""

    database: Database
    clock: Clock
    requesting: Requesting
    door: Door

    def request(self, found: Message, asker: Asker, nonce: bytes) -> Reply:
        """Answer an ir, cr, p10cr or kur; what it asks for is refused by a reply.

        Raises what is wrong with the message, or ``Unavailable``: then the transaction came to nothing.
        """
        kind = ANSWERS[found.kind]
        if found.kind == Kind.KUR and not asker.serial:
            raise WrongProtection("an update is signed with the certificate that it updates (RFC 9483, 4.1.3)")
        asked = None if found.kind == Kind.P10CR else body.certificate_request(found.body)
        request = _NONE if asked is None else asked.identifier
        implicit = any(one == IMPLICIT_CONFIRM for one, _value in found.header.info)
        # 1.
        transaction.begin(self.database, found.header, found.kind, asker, implicit=implicit, at=self.clock.now())
        # 2.
        try:
            if found.kind == Kind.KUR and asked is not None:
                self._check_old(asked, asker)
            outcome = self.requesting.issue(asker, found.body if asked is None else asked.armoured)
        except Unavailable:
            raise
        except TrustError as error:
            said = self._refused(asker, error)
            self._settle(found, Outcome("over", nonce, request))
            return Reply(answer.issued(kind, request, said, b""))
        # 3.
        return self._told(found, asker, kind, Outcome("", nonce, request), outcome, implicit=implicit)

    def poll(self, found: Message, asker: Asker, nonce: bytes) -> Reply:
        """Answer a pollReq (RFC 9483, 4.4): what was waited for, or in how many seconds to ask again."""
        request = body.poll(found.body)
        row = self._write(lambda session: transaction.ask(session, found.header, asker, request, nonce))
        kind = ANSWERS[row.kind]
        try:
            outcome = self.requesting.look(row.desk)
        except Unavailable:
            raise
        except TrustError as error:
            said = self._refused(asker, error)
            self._settle(found, Outcome("over", nonce, request))
            return Reply(answer.issued(kind, request, said, b""))
        if isinstance(outcome, Filed):
            return Reply(answer.wait(request, ASK_AGAIN, "two officers have to agree"))
        return self._told(found, asker, kind, Outcome("", nonce, request), outcome, implicit=row.implicit)

    def confirm(self, found: Message, asker: Asker) -> Reply:
        """Answer a certConf (RFC 9483, 4.1.1)."""
        said = body.confirmation(found.body)
        self._write(lambda session: transaction.confirm(session, found.header, asker, said, at=self.clock.now()))
        return Reply(answer.confirmed())

    def give_up(self, found: Message, asker: Asker) -> Reply:
        """Answer an error: what the transaction has come to is taken back."""
        self._write(lambda session: transaction.give_up(session, found.header, asker, at=self.clock.now()))
        return Reply(answer.confirmed())

    def _told(
        self, found: Message, asker: Asker, kind: Kind, so_far: Outcome, outcome: Given | Filed, *, implicit: bool
    ) -> Reply:
        nonce, request = so_far.nonce, so_far.request
        if isinstance(outcome, Filed):
            self._settle(found, Outcome("waiting", nonce, request, desk=outcome.desk))
            said = answer.status(WAITING, "two officers have to agree")
            return Reply(answer.issued(kind, request, said, b""))
        state = "confirmed" if implicit else "confirming"
        self._settle(found, Outcome(state, nonce, request, serial=outcome.serial))
        roots = self._roots() if kind is Kind.IP and asker.secret else ()
        return Reply(
            answer.issued(kind, request, answer.status(ACCEPTED), outcome.der, roots), (self._waits(implicit=implicit),)
        )

    def _settle(self, found: Message, outcome: Outcome) -> None:
        self._write(lambda session: transaction.settle(session, found.header, outcome, at=self.clock.now()))

    def _write(self, act: Callable[[Session], Result]) -> Result:
        with self.database.write() as session:
            done = act(session)
        # A crash here leaves a transaction whose machine was not told: what waits to be confirmed is revoked in time.
        return done  # noqa: RET504  # the crash point stands between

    def _waits(self, *, implicit: bool) -> Info:
        if implicit:
            return IMPLICIT_CONFIRM, b"\x05\x00"
        return CONFIRM_WAIT_TIME, der.generalized(self.clock.now() + CONFIRM)

    def _refused(self, asker: Asker, error: TrustError) -> bytes:
        told = self.door.record("cmp", "certificate", error, asker)
        return answer.status(REJECTION, failure.text(told), failure.of(told))

    def _roots(self) -> tuple[bytes, ...]:
        with self.database.read() as session:
            return (issuer.get(session, ROOT).der,)

    def _check_old(self, asked: crmf.Message, asker: Asker) -> None:
        """Raise unless the certificate that is to be updated is the one that signs (RFC 9483, 4.1.3)."""
        if asked.old is None:
            return
        with self.database.read() as session:
            held = credential.find(session, Serial(asker.serial)) if asker.serial else None
            ours = issuer.name_of(session, held.issuer if held else ISSUING)
        if asked.old.issuer != ours:
            raise WrongAuthority("the certificate that is to be updated is of another authority")
        if Serial(f"{asked.old.serial:040x}") != asker.serial:
            raise OtherCertificate("the certificate that is to be updated is not the one that signs")
