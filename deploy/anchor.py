"""The site's root, fetched from the site itself and believed for one reason: its fingerprint came by another way.

Until the fingerprint agrees nothing that was fetched is used for anything, and from then on only this root is trusted:
no root of the machine, and no authority but the one that this root certified.
"""

import hashlib
import re
import ssl
from dataclasses import dataclass
from pathlib import Path

import httpx2
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core import durable
from core.errors import Malformed, NotFound, Rejected, Unavailable

#: Most octets of an authority's certificate.
_LARGEST = 65_536

_SECONDS = 20.0

_EXAMPLE = "64 hexadecimal digits: `openssl x509 -in trust.pem -noout -fingerprint -sha256` shows them at the site"


@dataclass(frozen=True, slots=True)
class Anchor:
    """A root whose fingerprint agreed, and the issuing authority that it certified."""

    root: x509.Certificate
    issuing: x509.Certificate

    @property
    def pem(self) -> bytes:
        """Return what is trusted: the root, and nothing else."""
        return self.root.public_bytes(Encoding.PEM)

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the root's DER."""
        return fingerprint_of(self.root)


def fingerprint_of(certificate: x509.Certificate) -> str:
    """Return the SHA-256 (hexadecimal) of a certificate's DER."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def parse_fingerprint(text: str) -> str:
    """Return 64 lower-case hexadecimal digits, with or without colons as openssl prints them. Raises ``Malformed``."""
    plain = text.strip().lower().removeprefix("sha256:").replace(":", "").replace(" ", "")
    if not re.fullmatch("[0-9a-f]{64}", plain):
        raise Malformed("this is no SHA-256 fingerprint", hint=_EXAMPLE)
    return plain


def fetch(url: str, fingerprint: str) -> Anchor:
    """Fetch root and issuing authority from ``url``.

    Raises ``Malformed``, ``Unavailable``, and ``Rejected`` when it is not the root of this fingerprint, or when what
    answers does not prove itself under it.
    """
    wanted = parse_fingerprint(fingerprint)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Nobody is believed here: what comes is compared with the fingerprint, or thrown away.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    root = _load(_get(url, "/ca/root.cer", context), url)
    found = fingerprint_of(root)
    if found != wanted:
        detail = f"the root at `{url}` has the fingerprint {found}, and not the one that you gave"
        raise Rejected(detail, hint="compare again; somebody may stand between you and the site", reason="other-root")
    issuing = _load(_get(url, "/ca/issuing.cer", context), url)
    _check_issued(root, root)
    _check_issued(issuing, root)
    made = Anchor(root, issuing)
    if httpx2.URL(url).scheme == "https":
        _get(url, "/livez", verifying(made))
    return made


def verifying(anchor: Anchor) -> ssl.SSLContext:
    """Return a context for which whatever answers must prove itself under the anchor's root."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=anchor.pem.decode("ascii"))
    return context


def install(anchor: Anchor, folder: Path) -> Path:
    """Keep the root as ``trust.pem`` in a folder. Raises ``Rejected`` when another one is kept there already."""
    target = folder / "trust.pem"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if target.exists():
            kept = load(target)
            if fingerprint_of(kept) != anchor.fingerprint:
                detail = f"`{target}` holds another root: {fingerprint_of(kept)}"
                raise Rejected(detail, hint="remove it yourself when the site has a new one", reason="other-root")
            return target
        durable.write(target, anchor.pem, mode=0o644)
    except OSError as error:
        raise NotFound(f"nothing can be kept in `{folder}`: {(error.strerror or '').lower()}") from error
    return target


def load(path: Path) -> x509.Certificate:
    """Read the one root in a file. Raises ``NotFound``, ``Malformed``."""
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise NotFound(f"`{path}` cannot be read: {(error.strerror or '').lower()}") from error
    except ValueError as error:
        raise Malformed(f"`{path}` holds no certificate (PEM)") from error
    if len(found) != 1:
        raise Malformed(f"`{path}` holds {len(found)} certificates, and not the root alone")
    return found[0]


def check_chain(chain: bytes, root: x509.Certificate, spki: bytes) -> x509.Certificate:
    """Return the first certificate of a chain (PEM). Raises ``Rejected`` unless it is ours and ends in ``root``.

    ``spki`` is our own key (DER SubjectPublicKeyInfo): what was issued for another key is of no use to us.
    """
    try:
        own, *above = x509.load_pem_x509_certificates(chain)
    except ValueError as error:
        raise Rejected("what was issued cannot be read as certificates") from error
    if own.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != spki:
        raise Rejected("what was issued is for another key than ours; it is not kept", reason="other-key")
    for lower, upper in zip([own, *above], [*above, root], strict=True):
        _check_issued(lower, upper)
    return own


def _check_issued(lower: x509.Certificate, upper: x509.Certificate) -> None:
    try:
        basic = upper.extensions.get_extension_for_class(x509.BasicConstraints).value
        lower.verify_directly_issued_by(upper)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as error:
        raise Rejected(
            "a certificate that was fetched was not issued by the one above it", reason="broken-chain"
        ) from error
    if not basic.ca:
        raise Rejected("a certificate that was fetched was issued by one that is no authority", reason="broken-chain")


def _load(content: bytes, url: str) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(content)
    except ValueError as error:
        raise Rejected(f"what answers at `{url}` has no certificate of an authority to show") from error


def _get(url: str, path: str, context: ssl.SSLContext) -> bytes:
    try:
        with (
            httpx2.Client(base_url=url, verify=context, timeout=_SECONDS, trust_env=False) as client,
            client.stream("GET", path) as answer,
        ):
            if not answer.is_success:
                raise Unavailable(f"`{url}` answers {answer.status_code} for {path}", hint="is the address right?")
            content = b""
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > _LARGEST:
                    raise Rejected(f"what answers at `{url}` sends more than an authority's certificate")
            return content
    except httpx2.InvalidURL as error:
        raise Malformed(f"`{url[:80]}` is no address") from error
    except httpx2.RequestError as error:
        if _is_unproved(error):
            detail = f"what answers at `{url}` does not prove itself under this root: {error}"
            raise Rejected(detail, reason="other-server") from error
        raise Unavailable(f"the service at `{url}` does not answer: {error or type(error).__name__}") from error


def _is_unproved(error: BaseException | None) -> bool:
    """Say whether a connection failed because of the certificate at its other end."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
