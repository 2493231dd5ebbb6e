"""What a client outside sees: revocation lists and OCSP answers over HTTP, judged by OpenSSL and by nothing of ours."""

import hashlib
import ssl
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from backup.errors import DrillFailed


@dataclass(frozen=True, slots=True)
class Outsider:
    """Asks the service at ``url`` (plain HTTP); trusts the certificates in ``trusted`` (PEM, root and issuing)."""

    url: str
    trusted: Path
    work: Path

    def knowing(self, authority: bytes) -> "Outsider":
        """Return one that also knows this authority's certificate (DER), whom not everybody is told of beforehand."""
        known = self.work / f"known-{hashlib.sha256(authority).hexdigest()[:16]}.pem"
        own = ssl.DER_cert_to_PEM_cert(authority)
        known.write_text(own + self.trusted.read_text(encoding="ascii"), encoding="ascii")
        return Outsider(self.url, known, self.work)

    def revocation_list(self, name: str) -> tuple[x509.CertificateRevocationList, str]:
        """Fetch a list; return it and what ``openssl crl`` says about its signature."""
        with urllib.request.urlopen(f"{self.url}/crl/{name}/0.crl", timeout=10) as answer:  # noqa: S310  # http, ours
            content: bytes = answer.read()
        file = self.work / f"{name}.crl"
        file.write_bytes(content)
        said = _openssl("crl", "-inform", "DER", "-in", str(file), "-CAfile", str(self.trusted), "-verify", "-noout")
        return x509.load_der_x509_crl(content), said

    def ask(self, issuer: Path, serial: str) -> str:
        """Return what ``openssl ocsp`` says about a serial number; ``issuer`` is its authority's certificate (PEM)."""
        return _openssl(
            *("ocsp", "-issuer", str(issuer), "-serial", f"0x{serial}", "-url", f"{self.url}/ocsp/issuing"),
            *("-CAfile", str(self.trusted), "-no_nonce"),
        )


def _openssl(*arguments: str) -> str:
    try:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=20, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise DrillFailed(f"`openssl {arguments[0]}` gives no answer: {error}") from error
    return f"{done.stdout}\n{done.stderr}".strip()
