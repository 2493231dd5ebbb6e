"""What an authority's own certificate says, by its name and the plans.

``root``, ``issuing``, ``issuing-finance-2`` · ``ocsp``, ``ocsp-finance-2`` (the responder of each issuing authority) ·
``tsa-1`` (a generation of the time-stamp authority) · ``cmp`` · ``cross-root-2-new`` and ``-old`` (RFC 4210, 4.4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from hsm.models import KeyAlgorithm, KeyPurpose
from pki import namespace, otherroot, plan, pointers
from pki.errors import NotEstablished
from pki.issuer import CMP, ISSUING, OCSP, ROOT, TSA
from pki.plan import CROSS, FOREIGN, Plan
from pki.settings import PkiSettings

Extensions = Sequence[tuple[x509.ExtensionType, bool]]

_YEAR = timedelta(days=365)

#: A token is verified long after it was made: its authority's certificate lasts as long as its issuer's lets it.
_LIFETIMES = {ROOT: 10 * _YEAR, ISSUING: 5 * _YEAR, OCSP: _YEAR, TSA: 5 * _YEAR, CMP: _YEAR}

_PURPOSES = {
    ROOT: KeyPurpose.CA,
    ISSUING: KeyPurpose.CA,
    OCSP: KeyPurpose.OCSP,
    TSA: KeyPurpose.TSA,
    CMP: KeyPurpose.CMP,
}

_TITLES = {
    ROOT: "Root CA",
    ISSUING: "Issuing CA",
    OCSP: "OCSP Responder",
    TSA: "Time-Stamp Authority",
    CMP: "CMP Server",
}

#: What a plan may say about its key: a kind of key comes into here when the token and the readers know it.
ALGORITHMS = {"p256": KeyAlgorithm.P256}


@dataclass(frozen=True, slots=True)
class Making:
    """One certificate of ours that is to be made; ``signer`` is the authority whose key signs (a root: its own).

    ``of`` is the authority whose key is certified: itself, but for a cross-certificate. ``other`` is the root
    of another installation, whose key is not in our token.
    """

    name: str
    of: str
    label: str
    algorithm: KeyAlgorithm
    purpose: KeyPurpose
    signer: str
    subject: x509.Name
    lifetime: timedelta
    extensions: Extensions
    other: x509.Certificate | None = None

    @property
    def kind(self) -> str:
        """Return what kind of authority."""
        return plan.kind_of(self.name)

    @property
    def is_self_signed(self) -> bool:
        """Say whether its own key signs it."""
        return self.signer == self.name


def of(name: str, plans: Sequence[Plan], settings: PkiSettings) -> Making:
    """Return what ``name`` is made of; ``plans`` are those that serve, and its own. Raises ``NotEstablished``."""
    kind = plan.kind_of(name)
    if kind == CROSS:
        return _cross(name, plans, settings)
    if kind == FOREIGN:
        return _foreign(_find(plans, name), settings)
    if kind in (ROOT, ISSUING):
        own = _find(plans, name)
        signer = own.signer
        return _making(name, name, signer, settings, _authority(own, signer, settings), (own.key, own.algorithm))
    signer = plan.newest(plans, ISSUING).name if kind in (TSA, CMP) else ISSUING + name.removeprefix(OCSP)
    return _making(name, name, signer, settings, _DELEGATED[kind], (name, "p256"))


def _cross(name: str, plans: Sequence[Plan], settings: PkiSettings) -> Making:
    """The new key by the old, or the old key by the new; both bear the one name of the root."""
    new = _find(plans, name.removeprefix(f"{CROSS}-").rpartition("-")[0])
    old = _find(plans, new.parent)
    own, signer = (new, old) if name.endswith("-new") else (old, new)
    return _making(
        name, own.name, signer.name, settings, _authority(own, signer.name, settings), (own.key, own.algorithm)
    )


def _foreign(own: Plan, settings: PkiSettings) -> Making:
    """The root of another installation, within the bounds that were agreed on."""
    root = otherroot.read(own.root)
    extensions = [*_authority(own, own.parent, settings)]
    if own.policies:
        extensions.append((otherroot.policies(own.policies), False))
    return Making(
        name=own.name,
        of=own.name,
        label="",
        algorithm=ALGORITHMS[own.algorithm],
        purpose=KeyPurpose.CA,
        signer=own.parent,
        subject=root.subject,
        lifetime=timedelta(days=own.days),
        extensions=extensions,
        other=root,
    )


def _find(plans: Sequence[Plan], name: str) -> Plan:
    for one in plans:
        if one.name == name:
            return one
    raise NotEstablished(f"there is no authority `{name}`")


def _making(  # noqa: PLR0917  # two names, and what belongs to each
    name: str, certified: str, signer: str, settings: PkiSettings, extensions: Extensions, key: tuple[str, str]
) -> Making:
    kind, (label, algorithm) = plan.kind_of(certified), key
    return Making(
        name=name,
        of=certified,
        label=label,
        algorithm=ALGORITHMS[algorithm],
        purpose=_PURPOSES[kind],
        signer=signer,
        subject=_name(settings, certified),
        lifetime=_LIFETIMES[kind],
        extensions=extensions,
    )


def _name(settings: PkiSettings, name: str) -> x509.Name:
    """Return the subject; a root keeps its name through its generations (RFC 4210, 4.4), all others tell theirs."""
    kind = plan.kind_of(name)
    more = "" if kind == ROOT else name.removeprefix(kind).replace("-", " ")
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, settings.organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{settings.organisation} {_TITLES[kind]}{more}"),
        ]
    )


def _authority(own: Plan, signer: str, settings: PkiSettings) -> Extensions:
    made: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=True, path_length=own.path_length), True),
        (_usage(certificates=True, crls=True), True),
    ]
    if not own.space.is_free:
        made.append((namespace.constraints(own.space), True))
    if signer != own.name:
        made += [(_listed(signer, settings), False), (_issuers(signer, settings), False)]
    return made


def _listed(signer: str, settings: PkiSettings) -> x509.CRLDistributionPoints:
    place = x509.UniformResourceIdentifier(pointers.full_address(settings.public_url, signer))
    return x509.CRLDistributionPoints([x509.DistributionPoint([place], None, None, None)])


def _issuers(signer: str, settings: PkiSettings) -> x509.AuthorityInformationAccess:
    """Where every certificate of the signer is, by whomever it was signed (RFC 5280, 4.2.2.1)."""
    place = x509.UniformResourceIdentifier(pointers.bundle_address(settings.public_url, signer))
    return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, place)])


def _usage(*, sign: bool = False, certificates: bool = False, crls: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=crls,
        encipher_only=False,
        decipher_only=False,
    )


_DELEGATED: dict[str, Extensions] = {
    OCSP: [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(sign=True), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False),
        # Whoever checks an answer need not ask about its signer (RFC 6960, 4.2.2.2.1).
        (x509.OCSPNoCheck(), False),
    ],
    TSA: [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(sign=True), True),
        # Critical, and the only one (RFC 3161, 2.3).
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True),
    ],
    CMP: [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(sign=True), True),
        # id-kp-cmcCA: speaks for the authority that issued it (RFC 9810, 4.5; RFC 6402, 2.10).
        (x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.27")]), False),
    ],
}
