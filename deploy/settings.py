"""A site's settings: one TOML, ``guosuo.toml`` in the state folder (or where ``GUOSUO_CONFIG`` says)."""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import Malformed, NotFound
from core.notice.settings import NoticeSettings
from pki.tsa.settings import TsaSettings

CONFIGURATION = "guosuo.toml"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SiteSection(_Frozen):
    """What the installation is called; ``origin`` names its evidence log (C2SP tlog-checkpoint) and never changes."""

    name: str
    origin: str = Field(pattern=r"^[a-z0-9.-]+(/[a-z0-9.-]+)*$")
    store: str


class ListenSection(_Frozen):
    """Where the service listens. Loopback until told otherwise; ``names`` go into its certificate."""

    address: str = "127.0.0.1"
    port: int = Field(default=8443, ge=1, le=65535)
    status_port: int = Field(default=8480, ge=1, le=65535)
    host: str = "localhost"
    addresses: tuple[str, ...] = ("127.0.0.1",)


class RepositorySection(_Frozen):
    """Where recovery points and the mirrored evidence go, and to whom they are encrypted (age recipients)."""

    path: Path
    recipients: tuple[str, ...]


class EvidenceSection(_Frozen):
    """Where an application is answered before its record is stored (``core/ledger/fast.py``): security domains by id.

    Everywhere else, and from level 3 on in these too, an answer waits for its record.
    """

    fast: tuple[str, ...] = ()


class WitnessSection(_Frozen):
    """Who witnesses our evidence, and whose we witness (C2SP tlog-witness).

    ``name`` signs our cosignatures (empty: the origin with ``/witness``); ``logs`` are verifier keys of the logs that
    we cosign; ``policy`` is a tlog-policy that names our witnesses with their URLs, and the quorum; ``trusted`` holds
    roots (PEM) for those URLs where the machine's own do not do. Paths may be relative to the state folder.
    """

    name: str = Field(default="", pattern=r"^[^\s+]{0,200}$")
    logs: tuple[str, ...] = ()
    policy: Path | None = None
    trusted: Path | None = None
    every_seconds: int = Field(default=10, ge=1, le=86_400)


class TimestampSection(_Frozen):
    """Time-stamp authorities (RFC 3161): their URLs in order of preference, and the roots (PEM) that they lead to.

    Without a URL our own authority stamps our evidence: that proves order to everybody but those who hold its key.
    """

    urls: tuple[str, ...] = ()
    roots: Path | None = None
    every_minutes: int = Field(default=60, ge=1, le=10_080)


class AcmeSection(_Frozen):
    """Where machines fetch certificates by themselves (RFC 8555), on a port of its own; without it nobody does.

    ``resolvers`` are asked for names of machines (``ADDRESS[:PORT]``), this machine's own when there are none. Machines
    are looked at on ``http_port`` and ``tls_port``, which the protocol fixes: others are for trials.
    """

    port: int = Field(default=8444, ge=1, le=65535)
    resolvers: tuple[str, ...] = ()
    http_port: int = Field(default=80, ge=1, le=65535)
    tls_port: int = Field(default=443, ge=1, le=65535)


class Settings(_Frozen):
    """Everything that ``deploy/wiring.py`` needs to know."""

    state: Path
    site: SiteSection
    listen: ListenSection
    repository: RepositorySection
    evidence: EvidenceSection = EvidenceSection()
    witness: WitnessSection = WitnessSection()
    timestamp: TimestampSection = TimestampSection()
    tsa: TsaSettings = TsaSettings()
    notice: NoticeSettings = NoticeSettings()
    acme: AcmeSection | None = None

    @property
    def public_url(self) -> str:
        """Where certificate status is served in the clear (RFC 5280 4.2.1.13 and 4.2.2.1 use plain HTTP)."""
        return f"http://{self.listen.host}:{self.listen.status_port}"

    @property
    def acme_secret(self) -> Path:
        """What the keys that bind ACME accounts follow from."""
        return self.secrets / "acme.key"

    @property
    def device_secret(self) -> Path:
        """What the initial secrets of machines follow from."""
        return self.secrets / "device.key"

    @property
    def ledger(self) -> Path:
        """The evidence log's tiles and checkpoints."""
        return self.state / "ledger"

    @property
    def secrets(self) -> Path:
        """PIN files and the service's own TLS key."""
        return self.state / "secrets"

    @property
    def logs(self) -> Path:
        """What the processes print."""
        return self.state / "log"

    @property
    def applications(self) -> Path:
        """Reviewed application descriptions, one YAML each."""
        return self.state / "apps"

    @property
    def trusted(self) -> Path:
        """The root and issuing certificates in PEM."""
        return self.state / "trust.pem"

    @property
    def service_certificate(self) -> Path:
        """The service's own certificate with its chain in PEM."""
        return self.state / "service.pem"

    @property
    def service_key(self) -> Path:
        """The private key of the service's certificate."""
        return self.secrets / "service.key"


def default_state(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the state folder: ``GUOSUO_STATE``, else ``~/.local/state/guosuo``."""
    given = environment.get("GUOSUO_STATE")
    return Path(given) if given else Path.home() / ".local" / "state" / "guosuo"


def load(state: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read and check the settings of the site in ``state``. Raises ``NotFound`` or ``Malformed``."""
    path = Path(environment.get("GUOSUO_CONFIG", state / CONFIGURATION))
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(f"there is no site in `{state}`", hint="make one with `guosuo init`") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"`{path}` is not readable: {error}") from error
    try:
        return Settings.model_validate({"state": state, **content})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Malformed(f"`{path}`: `{place}`: {first['msg'].lower()}") from error


def render(settings: Settings) -> str:
    """Print ``settings`` as the TOML that ``load`` reads; of the optional sections those that say anything."""
    said = settings.model_dump(mode="json", exclude={"state"}, exclude_none=True)
    optional = settings.model_dump(mode="json", include=_OPTIONAL, exclude_defaults=True, exclude_none=True)
    sections = {**{name: said[name] for name in _ALWAYS}, **optional}
    tables = [line for name, values in sections.items() for line in _table(name, values)]
    examples = [text for name, text in _EXAMPLES.items() if name not in optional]
    head = "# A guosuo site. Secrets never stand here, only the paths of their files."
    return "\n".join([head, *tables, *examples]) + "\n"


_ALWAYS = ("site", "listen", "repository")
_OPTIONAL = {"evidence", "witness", "timestamp", "tsa", "notice", "acme"}

_EXAMPLES = {
    "acme": """
# Machines of the register fetch certificates by themselves (RFC 8555): https://HOST:PORT/acme/issuing/directory
# [acme]
# port = 8444
# resolvers = ["10.90.0.53"]""",
    "evidence": """
# Domains below level 3 whose applications are answered before the record is stored; 50 ms of them can be lost.
# [evidence]
# fast = ["some-domain"]""",
    "notice": """
# Where duties go when they leave the building; prove it with `guosuo notify test`.
# [notice]
# period_hours = 24
# [notice.mail]
# host = "relay.example"
# sender = "guosuo@site.example\"""",
}


def _table(name: str, values: Mapping[str, object]) -> list[str]:
    """Print a section, its own values first, the sections in it after them."""
    inner = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    # A JSON string, number, truth or list of strings is one of TOML as well.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items() if key not in inner]
    head = ["", f"[{name}]", *lines] if lines or not inner else []
    return [*head, *(line for key, value in inner.items() for line in _table(f"{name}.{key}", value))]
