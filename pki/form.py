"""Requests in either form that there is, read to one: PKCS #10 (RFC 2986) or CRMF (RFC 4211). Pure."""

from pki import crmf, csr
from pki.csr import CertificationRequest


def read(octets: bytes) -> CertificationRequest:
    """Read a request whose key is proved. Raises ``RequestTooLarge``, ``BadRequest``, ``WeakKey``, ``BrokenProof``."""
    if crmf.is_armoured(octets):
        return crmf.parse(octets).proved()
    return csr.parse_request(octets)


def normalise(octets: bytes) -> bytes:
    """Return a request in its one text form, whatever stands around it. Raises ``BadRequest``."""
    return crmf.parse(octets).armoured if crmf.is_armoured(octets) else csr.normalise(octets)
