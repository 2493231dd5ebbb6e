"""``guosuo init``: from an empty folder to a site that can be served. Idempotent: after a crash, run it again.

1. folders and recovery identity · 2. settings · 3. store · 4. token and its keys · 5. register · 6. root and issuing
authority · 7. the service's own certificate · 8. one bootstrap certificate, which can only appoint the administrators.
"""

import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backup.identity import make_identity
from core import durable
from core.clock import SystemClock
from core.database import Database
from core.errors import Conflict
from core.identity import SubjectKind
from core.ledger.group import GroupCommit
from core.registry import change, loader
from deploy import schema, signer, vouching, wiring
from deploy.file import read_text
from deploy.request import make_request, write_secret
from deploy.settings import (
    CONFIGURATION,
    AcmeSection,
    ListenSection,
    RepositorySection,
    Settings,
    SiteSection,
    load,
    render,
)
from hsm import token
from hsm.client import SignerClient
from hsm.models import KeyAlgorithm, KeyPurpose
from pki import hierarchy
from pki.issuance import CertificateAuthority
from pki.request import IssuanceRequest

#: Who acts before anybody can: the founding itself.
FOUNDER = "founding"

#: The device in the register that the service is.
SERVICE_DEVICE = "trust"


@dataclass(frozen=True, slots=True)
class Founding:
    """What ``guosuo init`` was asked for. ``store`` empty means SQLite in the state folder."""

    state: Path
    province: Path
    recovery_identity: Path
    name: str
    origin: str
    listen: ListenSection
    repository: Path
    store: str = ""
    applications: Sequence[Path] = ()
    acme: AcmeSection | None = None


def found(founding: Founding, *, progress: Callable[[str], None]) -> Settings:
    """Make the site and return its settings. Raises what a part refuses; nothing is served by a half-made site."""
    # The register is read first: a faulty file refuses the whole founding before anything is made.
    province = loader.parse_province(read_text(founding.province))
    for application in founding.applications:
        wiring.application_file(application)
    _make_folders(founding)
    settings = _settle(founding)
    progress("settings and folders")
    database = wiring.store(settings)
    schema.upgrade(database)
    progress("store")
    token.initialise(wiring.token(settings), secrets.token_bytes)
    with _signer(settings) as keys:
        keys.generate(wiring.CHECKPOINT_KEY, KeyAlgorithm.ED25519, KeyPurpose.CHECKPOINT)
        keys.generate(vouching.WITNESS_KEY, KeyAlgorithm.ED25519, KeyPurpose.WITNESS)
        progress("token, with the keys that sign our evidence and witness that of others")
        with database.write() as session:
            change.apply(session, province, actor=FOUNDER, at=SystemClock().now())
        progress(f"register: {founding.province.name}")
        _certify(settings, database, keys)
        progress("root and issuing authority, the service's certificate, one bootstrap certificate")
    database.close()
    return settings


def bootstrap_files(settings: Settings) -> tuple[Path, Path]:
    """Return where the bootstrap certificate and its key are."""
    return settings.state / "bootstrap" / "bootstrap.pem", settings.state / "bootstrap" / "bootstrap.key"


def _make_folders(founding: Founding) -> None:
    os.umask(0o077)
    for folder in ("", "secrets", "run", "log", "ledger", "apps", "bootstrap"):
        (founding.state / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    founding.state.chmod(0o700)
    founding.repository.mkdir(parents=True, exist_ok=True, mode=0o700)
    for application in founding.applications:
        shutil.copyfile(application, founding.state / "apps" / application.name)


def _settle(founding: Founding) -> Settings:
    """Return the settings: those that are there already, or new ones written durably."""
    target = founding.state / CONFIGURATION
    if target.exists():
        return load(founding.state, {})
    if founding.state.resolve() in founding.recovery_identity.resolve().parents:
        raise Conflict(
            "the recovery identity must not lie in the state folder: it would be lost with it",
            hint="give --recovery-identity a place of its own",
        )
    recipient = make_identity(founding.recovery_identity)
    settings = Settings(
        state=founding.state,
        site=SiteSection(
            name=founding.name,
            origin=founding.origin,
            store=founding.store or f"sqlite:///{founding.state.resolve()}/store.sqlite3",
        ),
        listen=founding.listen,
        repository=RepositorySection(path=founding.repository.resolve(), recipients=(recipient,)),
        acme=founding.acme,
    )
    write_secret(target.with_suffix(".new"), render(settings).encode())
    target.with_suffix(".new").replace(target)
    # A crash here leaves settings and nothing else: the next run goes on with them.
    return settings


class _signer:  # noqa: N801  # a context manager, read as a verb's object
    """A signer process for the time of the founding."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._child = signer.start(settings)
        signer.await_start(settings, self._child)

    def __enter__(self) -> SignerClient:
        return wiring.signer(self._settings)

    def __exit__(self, *_error: object) -> None:
        self._child.stop()


def _certify(settings: Settings, database: Database, keys: SignerClient) -> None:
    wiring.establish(settings, database, keys)
    authority = wiring.authority(settings, database, keys, GroupCommit(database))
    durable.write(settings.trusted, hierarchy.pem_chain(database).encode("ascii"), mode=0o644)
    service = IssuanceRequest(
        csr=b"",
        profile="service",
        holder_kind=SubjectKind.SERVICE,
        holder=SERVICE_DEVICE,
        dns_names=(settings.listen.host,),
        ip_addresses=settings.listen.addresses,
    )
    _certify_key(authority, service, key=settings.service_key, certificate=settings.service_certificate)
    certificate, key = bootstrap_files(settings)
    first = IssuanceRequest(csr=b"", profile="bootstrap", holder_kind=SubjectKind.BOOTSTRAP, holder="bootstrap")
    _certify_key(authority, first, key=key, certificate=certificate)


def _certify_key(authority: CertificateAuthority, request: IssuanceRequest, *, key: Path, certificate: Path) -> None:
    """Make a key beside ``certificate`` and have it certified, unless that was done."""
    if certificate.exists():
        return
    key.unlink(missing_ok=True)
    asked = certificate.with_suffix(".csr")
    make_request(request.holder, key=key, out=asked)
    issued = authority.issue(replace(request, csr=asked.read_bytes()), actor=FOUNDER)
    # A crash here leaves an issued certificate that nobody has: the next run issues another, both are on record.
    durable.write(certificate, issued.chain_pem.encode("ascii"), mode=0o644)
    asked.unlink()
