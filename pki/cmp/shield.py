"""How an answer is protected: by our key for CMP, or by the secret that protects the request (RFC 9483, 3.2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from core.clock import Clock
from core.database import Database
from hsm.client import SignerClient
from pki import der, hierarchy, issuer, plan
from pki.cmp import answer
from pki.cmp.answer import Body, Frame, Info
from pki.cmp.mac import Mac
from pki.cmp.message import Header
from pki.issuer import CMP, ISSUING, Issuer
from pki.models import Authority
from pki.settings import PkiSettings

#: Our certificate is renewed so long before its end.
AHEAD = timedelta(days=30)

#: Octets of a salt.
_SALT = 16


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: a body, and what the header tells beside it."""

    body: Body
    info: Sequence[Info] = ()


@dataclass(frozen=True, slots=True)
class Shared:
    """A secret that protects a request: its id as the request has it, how, and the secret."""

    key: bytes
    mac: Mac
    secret: str


class Shield:
    """Protects answers. Safe for many threads."""

    def __init__(self, *, database: Database, keys: SignerClient, clock: Clock, random: Callable[[int], bytes]) -> None:
        """The certificate in use is read for each answer, because the worker renews it."""
        self._database = database
        self._keys = keys
        self._clock = clock
        self._random = random

    def nonce(self) -> bytes:
        """Return a fresh nonce."""
        return self._random(16)

    def protect(self, to: Header, reply: Reply, nonce: bytes, shared: Shared | None) -> bytes:
        """Return the answer (DER), protected. Raises ``NotEstablished``, ``Unavailable``."""
        with self._database.read() as session:
            ours = issuer.load(session, CMP, self._keys)
            above = issuer.get(session, issuer.get(session, CMP).issuer).der
        if shared is not None:
            mac = shared.mac.salted(self._random(_SALT))
            over = answer.protected(to, self._frame(ours, mac.encoded, shared.key, nonce, reply.info), reply.body)
            return answer.message(over, mac.compute(shared.secret, over), [above])
        own = ours.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        frame = self._frame(ours, der.ECDSA_WITH_SHA256, own, nonce, reply.info)
        over = answer.protected(to, frame, reply.body)
        shown = [ours.certificate.public_bytes(Encoding.DER), above]
        return answer.message(over, ours.sign_octets(over), shown)

    def _frame(self, ours: Issuer, algorithm: bytes, key: bytes, nonce: bytes, info: Sequence[Info]) -> Frame:
        name = ours.certificate.subject.public_bytes()
        return Frame(name, algorithm, key, nonce, self._clock.now(), info)


def renew(
    database: Database, keys: SignerClient, clock: Clock, random: Callable[[int], bytes], settings: PkiSettings
) -> bool:
    """Make our certificate where there is none (sites from before), or when the present one ends soon; say whether."""
    with database.read() as session:
        present = session.get(Authority, CMP)
        name = plan.newest(plan.serving(session), ISSUING).name
        above = issuer.load(session, name, keys).certificate.not_valid_after_utc
    if present is not None:
        end = x509.load_der_x509_certificate(present.der).not_valid_after_utc
        if end - clock.now() > AHEAD or end >= above:
            return False
    hierarchy.make(CMP, database, keys, clock, random=random, settings=settings)
    return True
