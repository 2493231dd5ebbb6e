"""Set up nginx as a gateway: collect certificates, write the configuration beside, test it, and only then rename it."""

import os
import socket
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from authz import nginx
from authz.appfile import parse_application
from authz.application import Application
from authz.locations import Host, Placement
from core import durable
from core.errors import Malformed, NotFound, Rejected, Unavailable
from deploy import login, tls
from deploy.file import read_text
from deploy.login import Login

CONFIGURATION = "nginx.conf"

#: Seconds to wait for the service, and for nginx to test a configuration.
_PATIENCE = 20


def write_configuration(
    *,
    directory: Path,
    applications: Sequence[Path],
    certificates: Sequence[str],
    listen: str,
    service: str,
    port: int,
    control_port: int | None = None,
) -> Path:
    """Write and test ``nginx.conf`` below ``directory``, acting as the gateway that is logged in; return its path.

    ``certificates`` are ``HOST=CERTIFICATE,KEY`` (PEM files), one for each application; ``service`` is ``ADDRESS:PORT``
    as the gateway reaches it. Raises ``Rejected`` with what is wrong; the configuration in force is then untouched.
    """
    own = login.load(login.home())
    described = [_described(path) for path in applications]
    given = _given(certificates)
    folder = _folders(directory)
    # A crash from here to the rename leaves copies of certificates and the old configuration.
    placement = Placement(
        directory=folder,
        listen=listen,
        port=port,
        service=service,
        service_name=_service_name(own, service),
        certificate=_copy(Path(own.certificate), folder / "tls" / "gateway.pem"),
        key=_copy(Path(own.key), folder / "tls" / "gateway.key"),
        trusted=_copy(Path(own.trusted), folder / "tls" / "trust.pem"),
        user=_user(),
        control_port=control_port,
    )
    hosts = [_host(one, given, placement) for one in described]
    text = nginx.render(placement, hosts)
    candidate = folder / f"{CONFIGURATION}.new"
    candidate.write_text(text, encoding="utf-8")
    _test(candidate)
    durable.write(folder / CONFIGURATION, text.encode(), mode=0o644)
    candidate.unlink()
    return folder / CONFIGURATION


def _described(path: Path) -> Application:
    try:
        return parse_application(read_text(path))
    except Rejected as error:
        raise Rejected(f"{path.name}: {error.detail}", hint=error.hint, reason=error.word) from error


def _given(certificates: Sequence[str]) -> Mapping[str, tuple[Path, Path]]:
    found: dict[str, tuple[Path, Path]] = {}
    for text in certificates:
        host, equals, files = text.partition("=")
        certificate, comma, key = files.partition(",")
        if not (host and equals and certificate and comma and key):
            raise Malformed(f"`{text}` is not HOST=CERTIFICATE,KEY")
        if host in found:
            raise Malformed(f"the certificate of `{host}` is given twice")
        found[host] = (Path(certificate), Path(key))
    return found


def _folders(directory: Path) -> Path:
    folder = directory.resolve()
    for name, mode in (("", 0o755), ("tls", 0o700), ("log", 0o755), ("tmp", 0o755)):
        (folder / name).mkdir(parents=True, exist_ok=True, mode=mode)
    return folder


def _host(application: Application, given: Mapping[str, tuple[Path, Path]], placement: Placement) -> Host:
    if application.host not in given:
        hint = f"give --certificate {application.host}=CERTIFICATE,KEY"
        raise NotFound(f"no certificate is given for `{application.host}`", hint=hint)
    certificate, key = given[application.host]
    _check_certificate(application.host, certificate, key)
    name = placement.directory / "tls" / application.app
    return Host(application, _copy(certificate, name.with_suffix(".pem")), _copy(key, name.with_suffix(".key")))


def _check_certificate(host: str, certificate: Path, key: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise Rejected(f"`{certificate}` and `{key}` cannot be used together: {error}") from error
    if host not in _names(found):
        raise Rejected(f"`{certificate}` is not for `{host}`", hint=f"have one issued with --dns-name {host}")


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        return []
    assert isinstance(found, x509.SubjectAlternativeName)
    return found.get_values_for_type(x509.DNSName)


def _copy(source: Path, target: Path) -> Path:
    try:
        content = source.read_bytes()
    except OSError as error:
        raise NotFound(f"`{source}` cannot be read: {(error.strerror or '').lower()}") from error
    durable.write(target, content)
    return target


def _service_name(own: Login, service: str) -> str:
    """Return the DNS name in the service's certificate, after its chain and its address were verified.

    nginx compares a name with the certificate, never an address, so it is told the name that stands there.
    """
    host, _, port = service.rpartition(":")
    host = host.strip("[]")
    context = tls.client_context(certificate=None, key=None, trusted=Path(own.trusted))
    try:
        with (
            socket.create_connection((host, int(port)), timeout=_PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            shown = secured.getpeercert(binary_form=True)
    except (OSError, ValueError) as error:
        hint = "is `guosuo serve` running, and is this address in its certificate?"
        raise Unavailable(f"the service at `{service}` cannot be verified: {error}", hint=hint) from error
    assert shown is not None
    names = _names(x509.load_der_x509_certificate(shown))
    if not names:
        raise Rejected(f"the certificate of `{service}` names no host", hint="make the site with `--host NAME`")
    return host if host in names else names[0]


def _user() -> str:
    """Return nginx's user: in a user namespace only root is mapped, and nginx must not try to become another."""
    if os.geteuid() != 0:
        return ""
    mapped = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
    return "" if mapped == ["0", "0", "4294967295"] else "root root"


def _test(candidate: Path) -> None:
    log = candidate.parent / "log" / "error.log"
    command = ["nginx", "-t", "-q", "-e", str(log), "-c", str(candidate)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"nginx cannot test the configuration: {error}", hint="is nginx installed?") from error
    if done.returncode != 0:
        raise Rejected(f"nginx refuses the configuration: {done.stderr.strip()}", hint=f"it is in `{candidate}`")
