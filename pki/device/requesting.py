"""A machine's request for a certificate: its proof is used up, then the authority judges and issues as for everybody.

What a proof is good for is handed to the authority as what was asked for: names in the request that it does not cover
are refused there, by the function that judges for every protocol.
"""

from cryptography.x509.oid import NameOID

from core.clock import Clock
from core.database import Database
from core.errors import TrustError
from core.identity import SubjectKind
from pki import form
from pki.csr import CertificationRequest
from pki.device import secret
from pki.device.asker import Asker
from pki.issuance import CertificateAuthority
from pki.request import IssuanceRequest, IssuedCertificate


class Requesting:
    """Issues to machines. Safe for many threads."""

    def __init__(self, *, database: Database, authority: CertificateAuthority, clock: Clock) -> None:
        """Issue by ``authority``."""
        self._database = database
        self._authority = authority
        self._clock = clock

    def issue(self, asker: Asker, octets: bytes) -> IssuedCertificate:
        """Issue for a certification request what its asker may have.

        Raises ``BadSecret``, what the authority refuses (recorded), or ``Unavailable``.
        """
        asked = request_of(asker, octets)
        if not asker.secret:
            return self._authority.issue(asked, actor=asker.actor, officers=1)
        with self._database.write() as session:
            secret.take(session, asker.secret, asked.digest, at=self._clock.now())
        # A crash here leaves a used secret, perhaps without a certificate: the very same request may come again.
        (made,) = self._authority.issue_batch([asked], actor=asker.actor, officers=1)
        if isinstance(made, TrustError):
            self._give_back(asker, asked)
            raise made
        return made

    def _give_back(self, asker: Asker, asked: IssuanceRequest) -> None:
        with self._database.write() as session:
            secret.give_back(session, asker.secret, asked.digest, at=self._clock.now())
        # A crash here leaves a secret that is good again, and a machine that was not told why it was refused.


def request_of(asker: Asker, octets: bytes) -> IssuanceRequest:
    """Return what is asked of the authority. Raises what is wrong with the request's form or proof."""
    read = form.read(octets)
    hosts = tuple(one for one in dict.fromkeys((*read.hosts, *_common_names(read))) if one in asker.hosts)
    addresses = tuple(one for one in dict.fromkeys(read.addresses) if one in asker.addresses)
    kind = asker.holder.kind
    # The profile is that of the holder's kind: profiles of machines have its name.
    return IssuanceRequest(octets, kind, SubjectKind(kind), asker.holder.identifier, hosts, addresses)


def _common_names(read: CertificationRequest) -> tuple[str, ...]:
    return tuple(str(one.value) for one in read.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
