"""Profiles over HTTP: those in force, those that were, and what a change would mean. Changing them is an approval."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from core.clock import to_rfc3339
from core.enforcement import EnforcedRoute, permission
from core.provision import ReadSession
from pki import profile, profilelint, profileset
from pki.profile import Profile, Profiles

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1/profile", tags=["certificate"])


class ProfileItem(BaseModel):
    """One profile, as people read it."""

    name: str
    title: str
    holder: str
    networks: str
    levels: str
    days: int
    keys: str
    purposes: str
    second: int
    same_key: bool
    basis: str
    source: str


class ProfileList(BaseModel):
    """The profiles in force, with version, digest and the reviewed text itself."""

    version: str
    digest: str
    text: str
    items: list[ProfileItem]


class ActivationItem(BaseModel):
    """When which profiles came into force, by whom, and why."""

    version: str
    digest: str
    proposer: str
    approver: str
    basis: str
    since: str


class ActivationList(BaseModel):
    """Every activation, oldest first; the first are those that come with the product."""

    items: list[ActivationItem]


class CheckRequest(BaseModel):
    """A text to be checked."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=profile.LARGEST)


class CheckAnswer(BaseModel):
    """What is wrong with it (nothing: it may be proposed), and how it differs from what is in force."""

    version: str
    digest: str
    active: str
    faults: list[str]
    changes: list[str]


@router.get("")
@permission("pki:profile:read")
def show(session: ReadSession, digest: Annotated[str, Field(max_length=64)] = "") -> ProfileList:
    """Show the profiles in force, or those with a digest that were."""
    found = profileset.find(session, digest) if digest else profileset.active(session)
    return ProfileList(
        version=found.version, digest=found.digest, text=found.text, items=[_item(one) for one in found.listed]
    )


@router.get("/history")
@permission("pki:profile:read")
def list_(session: ReadSession) -> ActivationList:
    """List every activation."""
    shipped: Profiles = profile.shipped()
    first = ActivationItem(
        version=shipped.version, digest=shipped.digest, proposer="", approver="", basis="as shipped", since=""
    )
    later = [
        ActivationItem(
            version=row.version,
            digest=row.digest,
            proposer=row.proposer,
            approver=row.approver,
            basis=row.basis,
            since=to_rfc3339(row.at),
        )
        for row in profileset.history(session)
    ]
    return ActivationList(items=[first, *later])


@router.post("/check")
@permission("pki:profile:read")
def check(body: CheckRequest, session: ReadSession) -> CheckAnswer:
    """Say what is wrong with a text, and what it would change."""
    new, old = profile.parse_profiles(body.text), profileset.active(session)
    return CheckAnswer(
        version=new.version,
        digest=new.digest,
        active=old.digest,
        faults=profilelint.find_faults(new),
        changes=profilelint.compare(old, new),
    )


def _item(one: Profile) -> ProfileItem:
    return ProfileItem(
        name=one.name,
        title=f"{one.title.zh} · {one.title.en}",
        holder=one.holder.value,
        networks=", ".join(one.networks),
        levels=f"{one.levels[0]} to {one.levels[1]}",
        days=one.days,
        keys=", ".join(one.keys),
        purposes=", ".join(one.purposes),
        second=one.second,
        same_key=one.same_key,
        basis=one.basis,
        source=one.source,
    )
