"""Settings of the certification authorities."""

from pydantic import BaseModel, ConfigDict


class PkiSettings(BaseModel):
    """``organisation`` stands in the authorities' names; ``public_url`` is where status is served (plain HTTP)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    organisation: str
    public_url: str
    crl_hours: int = 24
