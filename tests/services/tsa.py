"""A foreign time-stamp authority: ``openssl ts -reply`` with a certification authority of its own, over HTTP."""

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_CONFIGURATION = """\
[tsa]
default_tsa = ours
[ours]
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""

STAMPING = (ExtendedKeyUsageOID.TIME_STAMPING,)


class Authority:
    """Makes its root and its stamping certificate in ``folder``; ``valid_until`` is when that one ends."""

    def __init__(
        self,
        folder: Path,
        *,
        valid_until: datetime | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.root_file = folder / "root.pem"
        now = datetime.now(UTC)
        root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root_name = _name("演练时间戳根 sample root")
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        built = _builder(root_name, root_name, root_key, now + timedelta(days=9), serial=1).add_extension(
            constraints, True
        )
        self.root = built.sign(root_key, hashes.SHA256())
        self._root_key, self._key = root_key, key
        self._until = valid_until or now + timedelta(days=2)
        self.certificate = self.certified(STAMPING)
        self.root_file.write_bytes(self.root.public_bytes(serialization.Encoding.PEM))
        (folder / "tsa.pem").write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        (folder / "tsa.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
        (folder / "tsa.cnf").write_text(_CONFIGURATION.format(folder=folder))

    def certified(self, usages: Sequence[x509.ObjectIdentifier], *, critical: bool = True) -> x509.Certificate:
        """Return the stamping key's certificate, always under the one serial number, with other extended usages."""
        built = _builder(_name("演练时间戳 sample TSA"), self.root.subject, self._key, self._until, serial=4711)
        if usages:
            built = built.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=critical)
        return built.add_extension(_signing(), critical=True).sign(self._root_key, hashes.SHA256())

    def reply(self, query: bytes) -> bytes:
        """Answer as ``openssl ts`` does."""
        return reply(self.folder, query)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve over HTTP (RFC 3161, 3.4)."""
        request = Request(scope, receive)
        assert request.headers["content-type"] == "application/timestamp-query"
        content = self.reply(await request.body())
        await Response(content, media_type="application/timestamp-reply")(scope, receive, send)


def reply(folder: Path, query: bytes) -> bytes:
    """Answer with the authority that was made in ``folder``."""
    (folder / "query").write_bytes(query)
    command = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-section", "ours", "-queryfile", "query"]
    command += ["-signer", "tsa.pem", "-inkey", "tsa.key", "-out", "reply"]
    (folder / "reply").unlink(missing_ok=True)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (folder / "reply").exists(), done.stderr
    return (folder / "reply").read_bytes()


def is_accepted(token: Path, data: Path, root: Path) -> bool:
    """Ask ``openssl ts -verify``."""
    command = ["openssl", "ts", "-verify", "-in", str(token), "-data", str(data), "-CAfile", str(root)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, until: datetime, *, serial: int
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = builder.not_valid_before(datetime.now(UTC) - timedelta(days=20)).not_valid_after(until)
    return builder.serial_number(serial).add_extension(identifier, critical=False)


def _signing() -> x509.KeyUsage:
    return x509.KeyUsage(True, True, False, False, False, False, False, False, False)
