"""The sample province, entered through the real loader."""

from datetime import datetime
from pathlib import Path

from sqlmodel import Session

from core.registry import change, loader

PROVINCE = Path(__file__).parents[1] / "deploy" / "province" / "beichen.yaml"


def enter_province(session: Session, at: datetime) -> None:
    change.apply(session, loader.parse_province(PROVINCE.read_text(encoding="utf-8")), actor="founding", at=at)
