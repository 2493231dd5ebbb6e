"""How notices leave: the section ``[notice]`` of ``guosuo.toml``. Secrets stand in files, only their paths here."""

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MailSettings(_Frozen):
    """A relay for mail. In the clear (``none``) only on this machine; ``trusted_file`` holds the relay's root (PEM)."""

    host: str = Field(min_length=1, max_length=253)
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str = Field(pattern=r"^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+$", max_length=254)
    user: str = Field(default="", max_length=254)
    password_file: Path | None = None
    trusted_file: Path | None = None

    @model_validator(mode="after")
    def _protected(self) -> "MailSettings":
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError("mail leaves this machine only over TLS (starttls or tls)")
        if bool(self.user) != (self.password_file is not None):
            raise ValueError("user and password_file belong together")
        return self


class WebhookSettings(_Frozen):
    """Where messages are posted to; ``secret_file`` holds the key that signs them (at least 32 octets)."""

    url: str = Field(max_length=2000)
    secret_file: Path
    trusted_file: Path | None = None

    @field_validator("url")
    @classmethod
    def _protected(cls, url: str) -> str:
        parts = urlsplit(url)
        # Raises for a port that is none.
        if parts.port == 0 or not parts.hostname or parts.username or parts.scheme not in ("http", "https"):
            raise ValueError("a webhook is an https address without a user name")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("a webhook leaves this machine only over https")
        return url


class SyslogSettings(_Frozen):
    """A receiver of syslog: ``tls`` (RFC 5425), ``tcp`` (RFC 6587, octet counting) or ``udp`` (RFC 5426)."""

    host: str = Field(min_length=1, max_length=253)
    port: int = Field(default=6514, ge=1, le=65535)
    transport: Literal["tls", "tcp", "udp"] = "tls"
    trusted_file: Path | None = None


class NoticeSettings(_Frozen):
    """How often a post is told, and by which ways; without a way nothing leaves, and duties wait in the service."""

    period_hours: int = Field(default=24, ge=1, le=24 * 31)
    attempts: int = Field(default=6, ge=1, le=20)
    mail: MailSettings | None = None
    webhook: WebhookSettings | None = None
    syslog: SyslogSettings | None = None

    @property
    def period(self) -> timedelta:
        """The time between two digests."""
        return timedelta(hours=self.period_hours)


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
