"""Settings of the time-stamp authority."""

from datetime import timedelta

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field, field_validator


class TsaSettings(BaseModel):
    """``policy`` names the rules that tokens are given by: a site that gives them to others has an OID of its own.

    The default lies below 2.999, the arc for examples (X.660). ``accuracy_ms`` is how far from the true time a token
    may be; with ``synchronised`` none is given unless the kernel says that its clock is kept to within that.
    ``per_minute`` is how many are given over the network, a fifth of them to one address.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: str = Field(default="2.999.3161.1", max_length=100)
    accuracy_ms: int = Field(default=1_000, ge=1, le=60_000)
    synchronised: bool = False
    per_minute: int = Field(default=300, ge=5, le=60_000)

    @field_validator("policy")
    @classmethod
    def _is_oid(cls, value: str) -> str:
        x509.ObjectIdentifier(value)
        return value

    @property
    def accuracy(self) -> timedelta:
        """How far from the true time a token may be."""
        return timedelta(milliseconds=self.accuracy_ms)
