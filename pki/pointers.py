"""Where a certificate says that its status and its issuer are found (RFC 5280, 4.2.1.13 and 4.2.2.1). Pure."""

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from core.identity import Serial

#: Into how many lists an authority's revocations are divided: with a million revoked each has under half a megabyte.
#: It stands in the address of each list, because certificates keep the address that they were issued with.
SHARDS = 128


def shard(serial: Serial, shards: int = SHARDS) -> int:
    """Return the list that tells of ``serial``: its last eight octets, which are random, modulo ``shards``."""
    return int(serial[-16:], 16) % shards


def shard_address(public_url: str, issuer: str, shard: int) -> str:
    """Return the address of one shard; its list names the same address (RFC 5280, 5.2.5)."""
    return f"{public_url}/crl/{issuer}/{SHARDS}/{shard}.crl"


def full_address(public_url: str, issuer: str) -> str:
    """Return the address of the full list."""
    return f"{public_url}/crl/{issuer}/0.crl"


def bundle_address(public_url: str, issuer: str) -> str:
    """Return the address of every certificate of an authority, certs-only CMS (RFC 5280, 4.2.2.1)."""
    return f"{public_url}/ca/{issuer}.p7c"


def delta_address(public_url: str, issuer: str) -> str:
    """Return the address of the delta list, which the full list points to (RFC 5280, 5.2.6)."""
    return f"{public_url}/crl/{issuer}/delta.crl"


def distribution(public_url: str, issuer: str, shard: int) -> x509.CRLDistributionPoints:
    """Return where the list ``shard`` of ``issuer`` is published."""
    name = x509.UniformResourceIdentifier(shard_address(public_url, issuer, shard))
    return x509.CRLDistributionPoints([x509.DistributionPoint([name], None, None, None)])


def access(public_url: str, issuer: str) -> x509.AuthorityInformationAccess:
    """Return where the responder and the certificate of ``issuer`` are."""
    places = [
        (AuthorityInformationAccessOID.OCSP, f"{public_url}/ocsp/{issuer}"),
        (AuthorityInformationAccessOID.CA_ISSUERS, f"{public_url}/ca/{issuer}.cer"),
    ]
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(kind, x509.UniformResourceIdentifier(url)) for kind, url in places]
    )
