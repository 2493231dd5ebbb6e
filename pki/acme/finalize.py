"""Finalize an order (RFC 8555, 7.4): hold it, have it issued, enter the outcome; whatever happens between.

1. The request is read and names exactly what the order does; the order is held by it, and that is committed.
2. The authority judges the content, for it is the one that does so for every protocol, and issues.
3. The order has its certificate. When nobody is left to say so, the job ``pki.acme.resume`` does.
"""

from datetime import datetime, timedelta

from cryptography.x509.oid import NameOID
from sqlmodel import Session, col, select

from core.clock import Clock
from core.database import Database
from core.errors import TrustError, Unavailable
from core.identity import SubjectKind
from pki import admission, csr
from pki.acme import account, events, identifier, order
from pki.acme.errors import BadCsr
from pki.acme.models import AcmeOrder
from pki.acme.state import State
from pki.csr import CertificationRequest
from pki.issuance import CertificateAuthority
from pki.names import Holder
from pki.request import IssuanceRequest

#: After so long an order that is worked at has lost whoever worked: issuing takes a tenth of that, and is given up
#: after two minutes itself.
PATIENCE = timedelta(minutes=3)


class Finalizer:
    """Finalizes orders. Safe for many threads."""

    def __init__(self, *, database: Database, authority: CertificateAuthority, clock: Clock) -> None:
        """Issue by ``authority``."""
        self._database = database
        self._authority = authority
        self._clock = clock

    def finalize(self, owner: str, holder: Holder, wanted: str, content: bytes) -> None:
        """Issue for the order ``wanted`` of the account ``owner`` what the request (DER) asks for.

        Raises ``NotHere``, ``OrderNotReady``, ``BadCsr``, what the authority refuses, or ``Unavailable``.
        """
        # 1.
        with self._database.write() as session:
            account.hold(session, owner)
            row = order.hold_ready(session, owner, wanted, self._clock.now())
            request = _request(row, holder, content)
            order.begin(session, row, request=request.digest, at=self._clock.now())
        # A crash here leaves an order that nobody works at, without a certificate: the job ends it as invalid.
        # 2.
        try:
            # One officer agreed, by making the key that bound the account: no way round a second one.
            issued = self._authority.issue(request, actor=events.actor_of(holder.identifier), officers=1)
        except Unavailable:
            # Whether it was signed is not known here: the job finds out, or ends the order.
            raise
        except TrustError:
            self._release(wanted)
            raise
        # A crash here leaves a certificate that its order does not name: the job finds it by the request's digest.
        # 3.
        with self._database.write() as session:
            order.conclude(session, _held(session, wanted), issued.serial, at=self._clock.now())
        # A crash here leaves an order with its certificate whose client was not told: it asks for the order again.

    def _release(self, wanted: str) -> None:
        with self._database.write() as session:
            order.release(session, _held(session, wanted))
        # A crash here leaves an order that is ready again, and a client that was not told why its request was refused.


def resume(session: Session, at: datetime) -> int:
    """End every order that lost whoever worked at it: with what was issued for it, or as invalid. Return how many."""
    statement = select(AcmeOrder).where(
        AcmeOrder.status == State.PROCESSING.value, col(AcmeOrder.finalized_at) < at - PATIENCE
    )
    lost = session.exec(statement.order_by(AcmeOrder.id).with_for_update()).all()
    for row in lost:
        assert row.finalized_at is not None
        # Since then alone: a renewal over the same key can be the same request as that of an earlier order.
        made = admission.find_issued(session, row.request, row.finalized_at)
        failure = None if made else Unavailable("the certificate could not be issued", hint="make a new order")
        order.conclude(session, row, made or "", at=at, failure=failure)
    return len(lost)


def _held(session: Session, wanted: str) -> AcmeOrder:
    return session.get_one(AcmeOrder, wanted, with_for_update=True, populate_existing=True)


def _request(row: AcmeOrder, holder: Holder, content: bytes) -> IssuanceRequest:
    """Return what is asked of the authority. Raises ``BadCsr`` unless the request names what the order does."""
    try:
        read = csr.parse_request(content)
    except TrustError as error:
        raise BadCsr(error.detail, hint=error.hint) from error
    listed = order.identifiers_of(row)
    hosts, addresses = identifier.hosts(listed), identifier.addresses(listed)
    if _hosts(read, hosts) != set(hosts) or set(read.addresses) != set(addresses):
        raise BadCsr("the request does not name exactly the identifiers of the order (RFC 8555, 7.4)")
    # The profile is that of the holder's kind: profiles of machines have its name.
    return IssuanceRequest(content, holder.kind, SubjectKind(holder.kind), holder.identifier, hosts, addresses)


def _hosts(read: CertificationRequest, ordered: tuple[str, ...]) -> set[str]:
    """Return the host names of a request; a common name counts when it was ordered, else the authority judges it."""
    common = [str(one.value) for one in read.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return set(read.hosts) | {one for one in common if one in ordered}
