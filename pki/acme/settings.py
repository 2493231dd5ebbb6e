"""Settings of the ACME server."""

from pydantic import BaseModel, ConfigDict, Field


class AcmeSettings(BaseModel):
    """``public_url`` is where the server is found (HTTPS); ``resolvers`` are DNS servers (``ADDRESS[:PORT]``).

    Without resolvers those of this machine are asked. The ports are those of the challenges (RFC 8555, 8.3; RFC 8737);
    others are for trials only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    public_url: str
    resolvers: tuple[str, ...] = ()
    http_port: int = Field(default=80, ge=1, le=65535)
    tls_port: int = Field(default=443, ge=1, le=65535)
    key_hours: int = Field(default=72, ge=1, le=720)
    order_hours: int = Field(default=24, ge=1, le=168)
