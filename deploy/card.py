"""A person's key on a token: shown in TLS and used to sign, and never read.

OpenSSL reaches the token by its PKCS#11 provider (package ``pkcs11-provider``), which a configuration file of this
login switches on. OpenSSL reads that file as a program begins, so ``reenter`` begins this program again with it.
Python's ``ssl`` takes a key from a PEM file only; the provider reads one that holds nothing but the URI
(provider-pkcs11(7), "URIs in PEM files").

The PIN is tried once. OpenSSL would try it up to five times for a key in a PEM file, which blocks a real token; so one
call that asks the token once proves the PIN before.
"""

import base64
import getpass
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from core import durable
from core.errors import Malformed, NotFound, Unauthenticated, Unavailable
from deploy.carduri import CardUri, parse_uri
from deploy.request import check_name

_CONFIGURATION = """openssl_conf = openssl_init
[openssl_init]
providers = provider_section
[provider_section]
default = default_section
pkcs11 = pkcs11_section
[default_section]
activate = 1
[pkcs11_section]
activate = 1
pkcs11-module-path = {module}
pkcs11-module-quirks = no-deinit
"""

_SECONDS = 60

#: What a key on a curve signs over, as openssl names it.
_DIGESTS = {"secp256r1": "sha256", "secp384r1": "sha384"}

#: DER of VisibleString and UTF8String (X.690), and what a wrapped URI begins with.
_VISIBLE, _UTF8, _SEQUENCE = 0x1A, 0x0C, 0x30
_FORM = b"PKCS#11 Provider URI v1.0"


class Card:
    """One key on one token, for one run of the program; its files lie beside the login and hold no secret."""

    def __init__(self, text: str, folder: Path, certificate: Path | None = None) -> None:
        """Read the URI; ``certificate`` (PEM) is what signatures are made for. Raises ``Malformed``."""
        self.uri: CardUri = parse_uri(text)
        name = hashlib.sha256(f"{self.uri.module} {self.uri.key}".encode()).hexdigest()[:16]
        self.configuration = folder / f"card-{name}.cnf"
        self.pem = folder / f"card-{name}.key.pem"
        self._chain = folder / f"card-{name}.pem"
        self._certificate = certificate
        self._pin = ""

    def prepare(self) -> None:
        """Write the files that name token and key. Raises ``Unavailable`` when OpenSSL cannot reach tokens here."""
        try:
            self.configuration.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _keep(self.configuration, _CONFIGURATION.format(module=self.uri.module).encode())
            _keep(self.pem, wrapped(self.uri.key))
        except OSError as error:
            detail = f"nothing can be kept in `{self.configuration.parent}`: {(error.strerror or '').lower()}"
            raise Unavailable(detail, hint="the folder is `$GUOSUO_HOME`, or `~/.config/guosuo`") from error
        if b"pkcs11" not in self._openssl(["list", "-providers"]).stdout:
            raise Unavailable("openssl has no PKCS#11 provider here", hint="run `deploy/setup.sh --packages` as root")

    def is_entered(self) -> bool:
        """Say whether this program was begun again for a token of this folder: this one, or one a command named."""
        given = Path(os.environ.get("OPENSSL_CONF", ""))
        return given.parent == self.configuration.parent and given.match("card-*.cnf")

    def reenter(self) -> None:
        """Begin this program again with OpenSSL's provider switched on, unless it runs so already."""
        self.prepare()
        if os.environ.get("OPENSSL_CONF") == str(self.configuration):
            return
        environment = {**os.environ, "OPENSSL_CONF": str(self.configuration)}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606  # no shell is wanted

    def pin(self) -> str:
        """Return the PIN once the token has accepted it. Raises ``Unauthenticated`` after one try."""
        if not self._pin:
            given = self._ask()
            done = self._openssl(["pkey", "-in", self.uri.key, "-noout"], pin=given)
            if done.returncode != 0:
                raise Unauthenticated(
                    f"the token does not give `{self.uri.key}` to be used: a wrong PIN, or no such token or key",
                    hint="the PIN was tried once; every wrong one counts, look with `pkcs11-tool --list-slots` first",
                    reason="card-refused",
                )
            self._pin = given
        return self._pin

    def make_key(self) -> bool:
        """Make a P-256 key of this name on the token, unless one is there; say whether it was made.

        The token is shown the PIN once. Raises ``Unauthenticated``.
        """
        self.prepare()
        if self._openssl(["pkey", "-pubin", "-in", self.uri.public, "-noout"]).returncode == 0:
            return False
        # Of its own: with this setting openssl can write down a key that stays on the token, and only then makes one.
        making = self.configuration.with_name(f"{self.configuration.stem}-making.cnf")
        _keep(making, f"{self.configuration.read_text()}pkcs11-module-encode-provider-uri-to-pem = true\n".encode())
        command = [
            "genpkey",
            "-propquery",
            "provider=pkcs11",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ]
        given = self._ask()
        name = self.uri.public.removesuffix(";type=public")
        done = self._openssl([*command, "-pkeyopt", f"pkcs11_uri:{name}?pin-source=file:{{fd}}"], pin=given, by=making)
        if done.returncode != 0:
            raise Unauthenticated(
                f"the token makes no key `{name}`: a wrong PIN, no such token, or no room on it",
                hint="the PIN was tried once; every wrong one counts, look with `pkcs11-tool --list-slots` first",
                reason="card-refused",
            )
        self._pin = given
        return True

    def sign(self, text: bytes) -> bytes:
        """Return the token's signature over ``text``, in the algorithm that ``core/signed.py`` names for the key.

        Raises ``Malformed`` for a key of a kind that no token signs with here, before the PIN is asked for.
        """
        assert self._certificate is not None
        key = x509.load_pem_x509_certificate(self._certificate.read_bytes()).public_key()
        command = ["dgst", f"-{_digest(key)}", "-sign", self.uri.key]
        done = self._openssl(command, pin=self.pin(), content=text)
        if done.returncode != 0:
            raise Unavailable("the token does not sign", hint="is it still plugged in?")
        return done.stdout

    def request(self, name: str = "") -> bytes:
        """Return a certification request (PEM) over the token's key for whoever the register calls ``name``.

        Without a name the subject is left to the register.
        """
        if name:
            check_name(name)
        subject = ["-subj", f"/UID={name}" if name else "/", "-utf8"]
        done = self._openssl(["req", "-new", "-key", self.uri.key, *subject], pin=self.pin())
        if done.returncode != 0:
            raise Unavailable("the token makes no request", hint="is it still plugged in?")
        return done.stdout

    def certificates(self) -> Path:
        """Return a file with the key's certificate and those that issued it, read from the token.

        Raises ``NotFound`` when the token holds no certificate of the key's name.
        """
        own = self._read(self.uri.certificate)
        if not own:
            hint = "give the certificate as a file: --cert FILE"
            raise NotFound(f"the token holds no certificate `{self.uri.certificate}`", hint=hint)
        chain, others = [own[0]], self._read(self.uri.certificates)
        while (above := _issuer(chain[-1], others)) is not None and above not in chain:
            chain.append(above)
        content = b"".join(one.public_bytes(Encoding.PEM) for one in chain)
        durable.write(self._chain, content, mode=0o644)
        return self._chain

    def _read(self, uri: str) -> list[x509.Certificate]:
        done = self._openssl(["storeutl", "-certs", uri])
        if done.returncode != 0:
            return []
        try:
            return x509.load_pem_x509_certificates(done.stdout) if b"BEGIN CERTIFICATE" in done.stdout else []
        except ValueError as error:
            raise Malformed(f"a certificate on the token cannot be read: {error}") from error

    def _ask(self) -> str:
        if self.uri.pin_source:
            try:
                return Path(self.uri.pin_source).read_text(encoding="utf-8").splitlines()[0]
            except (OSError, ValueError, IndexError) as error:
                raise NotFound(f"the PIN cannot be read from `{self.uri.pin_source}`") from error
        if not sys.stdin.isatty():
            hint = "run it at a terminal, or name a file in the URI: pin-source=file:/PATH"
            raise Unauthenticated("there is nobody to ask for the PIN", hint=hint)
        try:
            return getpass.getpass("PIN of the token: ")
        except EOFError as error:
            raise Unauthenticated("no PIN was given") from error

    def _openssl(
        self, command: Sequence[str], *, pin: str = "", content: bytes = b"", by: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run openssl; the PIN goes through a pipe, so neither a command line nor an environment shows it.

        Where a word of the command holds ``{fd}`` the pipe is read as a file of that name. ``by``: see ``make_key``.
        """
        environment = {**os.environ, "OPENSSL_CONF": str(by or self.configuration)}
        reading, writing = os.pipe()
        try:
            os.write(writing, f"{pin}\n".encode())
            os.close(writing)
            words = [one.replace("{fd}", f"/dev/fd/{reading}") for one in command]
            asked = ["-passin", f"fd:{reading}"] if pin and words == list(command) else []
            return subprocess.run(
                ["openssl", *words, *asked],
                input=content,
                capture_output=True,
                check=False,
                timeout=_SECONDS,
                env=environment,
                pass_fds=(reading,),
                start_new_session=True,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"openssl does not answer: {error}", hint="see `guosuo doctor`") from error
        finally:
            os.close(reading)


def wrapped(uri: str) -> bytes:
    """Return the PEM file that stands for a key on a token. Pure."""
    text = _field(_VISIBLE, _FORM) + _field(_UTF8, uri.encode())
    lines = base64.encodebytes(_field(_SEQUENCE, text)).decode()
    return f"-----BEGIN PKCS#11 PROVIDER URI-----\n{lines}-----END PKCS#11 PROVIDER URI-----\n".encode()


def _digest(key: object) -> str:
    """Return the name of the digest that a key signs over. Raises ``Malformed`` for a key of another kind. Pure."""
    match key:
        case ec.EllipticCurvePublicKey() if key.curve.name in _DIGESTS:
            return _DIGESTS[key.curve.name]
        case rsa.RSAPublicKey():
            return "sha256"
        case ec.EllipticCurvePublicKey():
            kind = key.curve.name
        case _:
            kind = type(key).__name__.removesuffix("PublicKey")
    raise Malformed(
        f"the token's key is of the kind {kind} and signs nothing here", hint="use a P-256, P-384 or RSA key"
    )


def _keep(path: Path, content: bytes) -> None:
    """Write a file that does not stand there already: every command comes here, and several at once."""
    if not path.is_file() or path.read_bytes() != content:
        durable.write(path, content)


def _field(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x82, *size.to_bytes(2, "big")])
    return bytes([tag]) + length + content


def _issuer(certificate: x509.Certificate, others: Sequence[x509.Certificate]) -> x509.Certificate | None:
    return next((one for one in others if one.subject == certificate.issuer and one != certificate), None)
