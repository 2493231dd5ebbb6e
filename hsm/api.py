"""The keys over HTTP: listed with the attributes read back from the token."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from core.enforcement import EnforcedRoute, permission
from core.provision import provided
from hsm.client import SignerClient

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1", tags=["key"])


class KeyItem(BaseModel):
    """One key in the token."""

    label: str
    algorithm: str
    purpose: str
    extractable: bool
    sensitive: bool
    never_extractable: bool
    local: bool
    spki_sha256: str


class KeyList(BaseModel):
    """Every key, and how the signer is."""

    items: list[KeyItem]
    generation: int
    sessions: int


@router.get("/key")
@permission("hsm:key:read")
def list_keys(keys: Annotated[SignerClient, Depends(provided(SignerClient))]) -> KeyList:
    """List the keys in the token."""
    health, found = keys.health(), keys.keys()
    items = [
        KeyItem(
            label=info.label,
            algorithm=info.algorithm.value,
            purpose=info.purpose.value,
            extractable=info.extractable,
            sensitive=info.sensitive,
            never_extractable=info.never_extractable,
            local=info.local,
            spki_sha256=info.spki_sha256,
        )
        for info in found
    ]
    return KeyList(items=items, generation=health.generation, sessions=health.sessions)
