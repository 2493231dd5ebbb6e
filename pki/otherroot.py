"""The root of another installation, as somebody hands it to us. Pure."""

import base64
import hashlib
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from core.errors import Malformed, Rejected
from pki import keyquality
from pki.errors import BrokenProof

#: Most octets of a certificate (PEM).
LARGEST = 10_000

#: What reading or checking a hostile certificate raises.
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.UnsupportedGeneralNameType)

#: A root is asked for what this level asks of a key: our own authorities have no more.
_LEVEL = 3


def read(text: str) -> x509.Certificate:
    """Return the other root: self-signed, and an authority's. Raises ``Malformed``, ``Rejected``, ``BrokenProof``."""
    if len(text) > LARGEST:
        raise Malformed(f"the other root's certificate is longer than {LARGEST} octets")
    try:
        if "-----BEGIN" in text:
            found = x509.load_pem_x509_certificate(text.encode())
        else:
            found = x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
        basic = found.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = found.extensions.get_extension_for_class(x509.KeyUsage).value
        found.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        key = found.public_key()
    except _UNREADABLE as error:
        raise Malformed("the other root's certificate cannot be read") from error
    except (x509.ExtensionNotFound, x509.DuplicateExtension) as error:
        raise Rejected(f"the other certificate is no authority's: {error}", reason="no-authority") from error
    if not basic.ca or not usage.key_cert_sign:
        raise Rejected("the other certificate is no authority's", reason="no-authority")
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise Rejected("the other root has a key of a kind that is not taken", reason="weak-key")
    keyquality.check_key(key, _LEVEL)
    try:
        found.verify_directly_issued_by(found)
    except (InvalidSignature, *_UNREADABLE) as error:
        hint = "ask for the root itself: `guosuo ca show root --pem` there"
        raise BrokenProof(
            "the other root did not sign its own certificate: nobody has shown to hold the key", hint=hint
        ) from error
    return found


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate, in groups that can be read out."""
    text = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    return " ".join(text[place : place + 8] for place in range(0, 64, 8))


def policies(values: Sequence[str]) -> x509.CertificatePolicies:
    """Return the extension."""
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(one), None) for one in values])
