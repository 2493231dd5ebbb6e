"""One message in, one out: who asks, what for, and what came of it (RFC 9483).

1. The header is what the profile asks for, and the message can be read. 2. Its protection holds, and says which machine
of the register this is. 3. What it asks for is done. 4. The answer is protected as the message was: by the same secret,
or by our key. Refusals are answers too, and on record.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.clock import Clock
from core.database import Database
from core.errors import TrustError
from core.identity import Serial
from core.registry import credential
from pki import issuer, reason, revocation
from pki.cmp import answer, body, failure, information, message, protection
from pki.cmp.answer import ACCEPTED, REJECTION
from pki.cmp.certification import Certification
from pki.cmp.errors import BadProtection, BadRequest, NotYours, WrongAuthority, WrongProtection
from pki.cmp.message import Kind, Message
from pki.cmp.shield import Reply, Shared, Shield
from pki.device.asker import Asker, Askers
from pki.device.door import Door
from pki.device.errors import BadSecret
from pki.errors import UnknownReason
from pki.issuer import ISSUING

_WORDS = {code: word for word, code in reason.CODES.items()}

#: Most questions of one general message.
_QUESTIONS = 16

Act = Callable[["Cmp", Message, Asker, bytes], Reply]


@dataclass(frozen=True, slots=True)
class Cmp:
    """The server. Safe for many threads."""

    database: Database
    clock: Clock
    askers: Askers
    certification: Certification
    shield: Shield
    door: Door

    def respond(self, content: bytes) -> bytes:
        """Return the answer (DER) to a message (DER).

        Raises ``NoMessage`` when there is no header to answer to, ``Unavailable`` when no answer can be protected.
        """
        header, nonce = message.parse_header(content), self.shield.nonce()
        asker: Asker | None = None
        shared: Shared | None = None
        try:
            # 1.
            protection.check_header(header, self.clock.now())
            found = message.parse(content)
            # 2.
            asker, shared = self._authenticate(found)
            # 3.
            reply = self._act(found, asker, nonce)
        except TrustError as error:
            told = self.door.record("cmp", "message", error, asker)
            reply = Reply(answer.refused(answer.status(REJECTION, failure.text(told), failure.of(told))))
        # 4.
        return self.shield.protect(header, reply, nonce, shared)

    def _authenticate(self, found: Message) -> tuple[Asker, Shared | None]:
        """Return who sent a message, and by which secret it is protected."""
        reference = protection.reference(found.header)
        if reference is None:
            return self.askers.by_certificate(protection.signer(found)), None
        try:
            asker, secret = self.askers.by_reference(reference.identifier)
        except BadSecret as error:
            # One answer for all that a stranger could guess at.
            raise BadProtection("the protection does not hold", hint="use an initial secret as it was shown") from error
        protection.verify_mac(found, reference.mac, secret)
        return asker, Shared(found.header.key, reference.mac, secret)

    def _act(self, found: Message, asker: Asker, nonce: bytes) -> Reply:
        act = _ACTS.get(found.kind)
        if act is None:
            raise BadRequest(f"a body of kind {found.kind} is not answered here", hint="see RFC 9483")
        return act(self, found, asker, nonce)

    def request(self, found: Message, asker: Asker, nonce: bytes) -> Reply:
        """Answer a request for a certificate."""
        return self.certification.request(found, asker, nonce)

    def poll(self, found: Message, asker: Asker, nonce: bytes) -> Reply:
        """Answer a pollReq."""
        return self.certification.poll(found, asker, nonce)

    def confirm(self, found: Message, asker: Asker, _nonce: bytes) -> Reply:
        """Answer a certConf."""
        return self.certification.confirm(found, asker)

    def give_up(self, found: Message, asker: Asker, _nonce: bytes) -> Reply:
        """Answer an error."""
        return self.certification.give_up(found, asker)

    def tell(self, found: Message, asker: Asker, _nonce: bytes) -> Reply:
        """Answer a genm; nothing changes by it, so it may come twice."""
        asked = message.parse_values(body.sequence(found.body), _QUESTIONS)
        with self.database.read() as session:
            return Reply(answer.told(information.tell(session, asker, asked)))

    def revoke(self, found: Message, asker: Asker, _nonce: bytes) -> Reply:
        """Answer an rr: revoke a certificate of the machine that signs (RFC 9483, 4.2)."""
        if not asker.serial:
            raise WrongProtection("a revocation is signed with a certificate (RFC 9483, 4.2)")
        asked = body.revocation(found.body)
        try:
            self._revoke(asked, asker)
        except TrustError as error:
            told = self.door.record("cmp", "revocation", error, asker)
            return Reply(answer.revoked(answer.status(REJECTION, failure.text(told), failure.of(told))))
        return Reply(answer.revoked(answer.status(ACCEPTED), asked.issuer, asked.serial))

    def _revoke(self, asked: body.Revocation, asker: Asker) -> None:
        if asked.reason not in _WORDS:
            raise UnknownReason(f"{asked.reason} is no reason to revoke for ever (RFC 5280, 5.3.1)")
        with self.database.write() as session:
            held = credential.find(session, Serial(f"{asked.serial:040x}"))
            if asked.issuer != issuer.name_of(session, held.issuer if held else ISSUING):
                raise WrongAuthority("the certificate is of another authority")
            if held is None or (held.holder_kind, held.holder) != (asker.holder.kind, asker.holder.identifier):
                raise NotYours("you have no such certificate")
            word = _WORDS[asked.reason]
            revocation.revoke(session, Serial(held.serial), reason=word, actor=asker.actor, at=self.clock.now())
        # From here on every decision refuses. A crash here leaves the lists to the job that publishes them.


_ACTS: Mapping[int, Act] = {
    Kind.IR: Cmp.request,
    Kind.CR: Cmp.request,
    Kind.P10CR: Cmp.request,
    Kind.KUR: Cmp.request,
    Kind.RR: Cmp.revoke,
    Kind.GENM: Cmp.tell,
    Kind.CERTCONF: Cmp.confirm,
    Kind.POLLREQ: Cmp.poll,
    Kind.ERROR: Cmp.give_up,
}
