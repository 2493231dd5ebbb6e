"""What becomes of one certificate of the old authority, as store and register are now; nothing is changed here."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from sqlmodel import Session

from core.errors import TrustError
from core.identity import Serial, SubjectKind
from core.registry import credential
from core.registry.credential import Credential
from core.registry.models import Device, Person
from pki import holder, path, reason
from pki.models import Revocation
from pki.names import Holder
from pki.takeover import material
from pki.takeover.authority import OldAuthority
from pki.takeover.mapping import NOBODY
from pki.takeover.material import Item
from pki.takeover.row import GOOD, HELD, REVOKED

#: It comes over with its holder · stands on the lists only · changes its status · is here as it is there · stays
#: behind · must be on the lists and cannot.
ENTERS, LISTED, CHANGES, KNOWN, LEFT, BLOCKED = "enters", "listed", "changes", "known", "left", "blocked"

#: RSA below this opens no door here, whoever gave it a certificate.
_SHORTEST_RSA = 2048


@dataclass(frozen=True, slots=True)
class Verdict:
    """``word`` is one of the above, ``why`` a half sentence; ``holder`` and ``loaded`` are there for what enters."""

    word: str
    why: str = ""
    holder: Holder | None = None
    loaded: x509.Certificate | None = None


class _Unfit(Exception):
    """Why a certificate itself does not come over."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges for one authority, at one moment."""

    session: Session
    authority: OldAuthority
    name: str
    now: datetime

    def judge(self, item: Item) -> Verdict:
        """Return what becomes of an item."""
        if fault := _fault(item):
            return Verdict(BLOCKED, fault)
        serial = Serial(item.serial)
        held, revoked = credential.find(self.session, serial), self.session.get(Revocation, serial)
        if held is not None:
            return self._here(item, held)
        if revoked is not None:
            return self._taken(item) if revoked.issuer != self.name else Verdict(KNOWN, "on the lists")
        return self._fresh(item)

    def _here(self, item: Item, held: Credential) -> Verdict:
        if held.issuer != self.name:
            return self._taken(item)
        if item.der and hashlib.sha256(item.der).hexdigest() != held.certificate_sha256:
            return Verdict(BLOCKED, "another certificate with this serial number is here")
        if item.state == held.state:
            return Verdict(KNOWN)
        if held.state == REVOKED or item.state == GOOD:
            return Verdict(KNOWN, f"{held.state} here, {item.state} there: it stays {held.state}")
        return Verdict(CHANGES, f"{held.state} here, {item.state} there")

    def _taken(self, item: Item) -> Verdict:
        told = "its serial number is one of another authority here"
        return Verdict(LEFT if item.state == GOOD else BLOCKED, told)

    def _fresh(self, item: Item) -> Verdict:
        try:
            loaded = self._certificate(item)
            return Verdict(ENTERS, holder=self._holder(item, loaded), loaded=loaded)
        except _Unfit as unfit:
            if item.state == REVOKED:
                return Verdict(LISTED, str(unfit))
            if item.state == HELD:
                return Verdict(BLOCKED, f"it is on hold, and {unfit}: revoke or release it there")
            return Verdict(LEFT, str(unfit))

    def _certificate(self, item: Item) -> x509.Certificate:
        if item.not_after is not None and item.not_after < self.now:
            raise _Unfit(f"it ended on {item.not_after:%Y-%m-%d}")
        if not item.certificate:
            raise _Unfit("its certificate is not there")
        if item.der == self.authority.der:
            raise _Unfit("it is the authority's own")
        if len(item.der) > material.LARGEST:
            raise _Unfit(f"it has more than {material.LARGEST} octets")
        try:
            read = path.issued(item.der, self.authority.trusted)
            loaded = x509.load_der_x509_certificate(item.der)
            _check(read.is_authority, loaded, self.now)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise _Unfit("its certificate cannot be read") from error
        except TrustError as error:
            raise _Unfit(error.detail[:120]) from error
        if f"{loaded.serial_number:040x}" != item.serial:
            raise _Unfit("its certificate has another serial number")
        return loaded

    def _holder(self, item: Item, loaded: x509.Certificate) -> Holder:
        if item.holder == NOBODY:
            raise _Unfit("the mapping says that it is nobody's")
        if item.holder:
            kind, _colon, identifier = item.holder.partition(":")
            return self._find(kind, identifier)
        found = {one for name in _names(item, loaded) if (one := self._named(name))}
        if len(found) != 1:
            raise _Unfit("its names are in no register" if not found else "its names are those of several")
        return self._find(*found.pop())

    def _named(self, name: str) -> tuple[str, str] | None:
        if self.session.get(Person, name) is not None:
            return SubjectKind.PERSON.value, name
        device = self.session.get(Device, name)
        return (device.kind, name) if device is not None else None

    def _find(self, kind: str, identifier: str) -> Holder:
        try:
            if kind == SubjectKind.BOOTSTRAP:
                raise _Unfit("nobody else's certificate can be the bootstrap administrator's")
            return holder.find(self.session, SubjectKind(kind), identifier)
        except (TrustError, ValueError) as error:
            told = error.detail if isinstance(error, TrustError) else f"`{kind}` holds no certificates"
            raise _Unfit(told[:120]) from error


def _fault(item: Item) -> str:
    """Say what makes no sense in an item; the readers let nothing of it through."""
    if (item.state == GOOD) != (item.at is None) or (item.state == HELD) != (item.reason == reason.HOLD):
        return "state, time and reason of its revocation do not fit"
    if item.state == REVOKED and item.reason not in reason.CODES:
        return f"`{item.reason}` is no reason of ours"
    return "" if int(item.serial, 16) else "the serial number is nought"


def _check(is_authority: bool, loaded: x509.Certificate, now: datetime) -> None:
    if is_authority:
        raise _Unfit("it is an authority's: those below the old one stay its own")
    if loaded.not_valid_after_utc < now:
        raise _Unfit(f"it ended on {loaded.not_valid_after_utc:%Y-%m-%d}")
    key = loaded.public_key()
    strong = isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size >= 256
    if not strong and not (isinstance(key, rsa.RSAPublicKey) and key.key_size >= _SHORTEST_RSA):
        raise _Unfit("its key is too weak")


def _names(item: Item, loaded: x509.Certificate) -> list[str]:
    kinds = (NameOID.USER_ID, NameOID.COMMON_NAME)
    found = [str(one.value) for kind in kinds for one in loaded.subject.get_attributes_for_oid(kind)]
    return [name for name in dict.fromkeys([item.name, *found]) if name and len(name) <= 80 and name.isprintable()]
