"""What a recovery point is made of, where it goes and who can open it."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class BackupSettings(BaseModel):
    """``state`` is the site's state folder, ``origin`` the name of its evidence log, ``recipients`` are age's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Path
    repository: Path
    recipients: tuple[str, ...] = Field(min_length=1)
    origin: str
    checkpoint_key: str = "checkpoint"
