"""Settings of a sensor."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class SensorSettings(BaseModel):
    """A sensor: ``name`` is its device in the register, what it keeps is under ``directory``. Times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")
    directory: Path
    interfaces: list[str] = Field(min_length=1)
    program: str = "suricata"
    poll: float = Field(default=0.01, gt=0, le=1)
    heartbeat: float = Field(default=2.0, gt=0, le=60)
    silent_after: float = Field(default=10.0, gt=0, le=300)
    plan_every: float = Field(default=30.0, gt=0, le=3600)
    start_within: float = Field(default=60.0, gt=0, le=600)
    rotate_at: int = Field(default=256 * 1024 * 1024, gt=0)
