"""A machine's request for a certificate: its proof is used up, then the authority judges and issues as for everybody.

What a proof is good for is handed to the authority as what was asked for: names in the request that it does not cover
are refused there, by the function that judges for every protocol. The proof stands for the one officer who agreed to
it: where the level asks for two, the request is filed at the desk, and the machine asks again until they have decided.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography.x509.oid import NameOID
from sqlmodel import Session, col, select

from core.clock import Clock
from core.database import Database
from core.errors import NotFound, TrustError, Unavailable
from core.identity import SubjectKind
from pki import desk, form, profileset
from pki.csr import CertificationRequest
from pki.desk import RequestDesk
from pki.deskstate import State
from pki.device import secret
from pki.device.asker import Asker
from pki.device.errors import DeskRefused
from pki.errors import NeedsSecond
from pki.issuance import CertificateAuthority
from pki.models import Certificate, DeskRequest
from pki.request import IssuanceRequest

#: In how many seconds a machine asks again whose request waits at the desk.
ASK_AGAIN = 60


@dataclass(frozen=True, slots=True)
class Given:
    """A certificate (DER)."""

    serial: str
    der: bytes


@dataclass(frozen=True, slots=True)
class Filed:
    """A request that waits at the desk, by its id there."""

    desk: str


class Requesting:
    """Issues to machines. Safe for many threads."""

    def __init__(
        self, *, database: Database, authority: CertificateAuthority, request_desk: RequestDesk, clock: Clock
    ) -> None:
        """Issue by ``authority``, or file at the desk."""
        self._database = database
        self._authority = authority
        self._desk = request_desk
        self._clock = clock

    def issue(self, asker: Asker, octets: bytes) -> Given | Filed:
        """Issue for a certification request what its asker may have, or file it.

        Raises ``BadSecret``, what the authority refuses (recorded), ``DeskRefused``, or ``Unavailable``.
        """
        asked = request_of(asker, octets)
        if self.takes_two(asker):
            return self._file(asker, replace(asked, csr=form.normalise(asked.csr), holder_kind=None))
        if not asker.secret:
            made = self._authority.issue(asked, actor=asker.actor, officers=1)
            return Given(made.serial, made.der)
        self._use(asker, asked)
        (outcome,) = self._authority.issue_batch([asked], actor=asker.actor, officers=1)
        if isinstance(outcome, TrustError):
            self._give_back(asker, asked)
            raise outcome
        return Given(outcome.serial, outcome.der)

    def takes_two(self, asker: Asker) -> bool:
        """Say whether two officers must agree to what this machine asks for."""
        with self._database.read() as session:
            return profileset.active(session).get(asker.holder.kind).officers(asker.holder.level) > 1

    def look(self, identifier: str) -> Given | Filed:
        """Return what became of a request at the desk. Raises ``DeskRefused``; ``NotFound``."""
        with self._database.read() as session:
            return _standing(session, desk.get(session, identifier))

    def _file(self, asker: Asker, asked: IssuanceRequest) -> Given | Filed:
        """File a request, or say how far the very same one is."""
        if asked.ip_addresses:
            raise NeedsSecond("a certificate with addresses takes two officers here", hint="go to the desk yourself")
        with self._database.read() as session:
            known = _filed(session, asked, asker.actor)
            if known is not None:
                return _standing(session, known)
        self._use(asker, asked)
        try:
            return Filed(self._desk.file(asked, actor=asker.actor).id)
        except Unavailable:
            # Whether it was filed is not known here: asked again, the very same request finds out.
            raise
        except TrustError:
            self._give_back(asker, asked)
            raise

    def _use(self, asker: Asker, asked: IssuanceRequest) -> None:
        self._mark(asker, asked, secret.take)

    def _give_back(self, asker: Asker, asked: IssuanceRequest) -> None:
        self._mark(asker, asked, secret.give_back)

    def _mark(self, asker: Asker, asked: IssuanceRequest, step: Callable[[Session, str, str, datetime], None]) -> None:
        """Use a secret, or give it back; who shows a certificate has none."""
        if not asker.secret:
            return
        with self._database.write() as session:
            step(session, asker.secret, asked.digest, self._clock.now())
        # A crash here leaves a used secret, perhaps without a certificate, that the very same request may use again;
        # or one that was given back, and a machine that was not told why.


def request_of(asker: Asker, octets: bytes) -> IssuanceRequest:
    """Return what is asked of the authority. Raises what is wrong with the request's form or proof."""
    read = form.read(octets)
    hosts = tuple(one for one in dict.fromkeys((*read.hosts, *_common_names(read))) if one in asker.hosts)
    addresses = tuple(one for one in dict.fromkeys(read.addresses) if one in asker.addresses)
    kind = asker.holder.kind
    # The profile is that of the holder's kind: profiles of machines have its name.
    return IssuanceRequest(
        octets, kind, SubjectKind(kind), asker.holder.identifier, hosts, addresses, renews=asker.serial
    )


def _common_names(read: CertificationRequest) -> tuple[str, ...]:
    return tuple(str(one.value) for one in read.subject.get_attributes_for_oid(NameOID.COMMON_NAME))


def _filed(session: Session, asked: IssuanceRequest, actor: str) -> DeskRequest | None:
    statement = select(DeskRequest).where(DeskRequest.digest == asked.digest, DeskRequest.requester == actor)
    return session.exec(statement.order_by(col(DeskRequest.filed_at).desc())).first()


def _standing(session: Session, row: DeskRequest) -> Given | Filed:
    if row.state == State.ISSUED:
        made = session.get(Certificate, row.serial)
        if made is None:
            raise NotFound(f"there is no certificate `{row.serial}` any more")
        return Given(row.serial, made.der)
    if row.state in (State.RETURNED, State.REJECTED):
        raise DeskRefused(f"the request {row.id} was {row.state} at the desk: {row.comment}")
    return Filed(row.id)
