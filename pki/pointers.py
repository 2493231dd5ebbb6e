"""Where a certificate says that its status and its issuer are found (RFC 5280, 4.2.1.13 and 4.2.2.1). Pure."""

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from core.identity import Serial

#: Into how many lists an authority's revocations are divided.
SHARDS = 1


def shard(serial: Serial, shards: int = SHARDS) -> int:
    """Return the list that tells of ``serial``: its last eight octets, which are random, modulo ``shards``."""
    return int(serial[-16:], 16) % shards


def distribution(public_url: str, issuer: str, shard: int) -> x509.CRLDistributionPoints:
    """Return where the list ``shard`` of ``issuer`` is published."""
    name = x509.UniformResourceIdentifier(f"{public_url}/crl/{issuer}/{shard}.crl")
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
