"""The table of who may do what on the installation, made from the policies: ``python -m tests.authz.permissions``."""

import re
from pathlib import Path

from authz import engine, entities, policy
from authz.engine import Entity, Uid
from core.identity import SITE, DomainId
from core.registry import role

TABLE = Path(__file__).with_name("permissions.md")

NOBODY = "fresh person"

#: Everybody that the policies of the installation know, in the order of the columns.
SUBJECTS = (
    NOBODY,
    "bootstrap",
    *role.ADMINISTRATORS,
    *role.OFFICES,
    "post-holder",
    "gateway",
    "sensor",
    "application",
    "service",
)

HEAD = """# Who may do what on the installation

Made from `authz/policies/administration.cedar` by `python -m tests.authz.permissions`: a change here is one of rights.
A post-holder is whoever holds any post in the register; which acts and duties are theirs is looked at with each.

"""


def actions() -> list[str]:
    """Every permission that the schema names for the installation."""
    text = policy.SCHEMA.read_text(encoding="utf-8")
    declared = re.search(r"action\n(.*?)\nappliesTo", text, re.DOTALL)
    assert declared is not None
    return sorted(re.findall(r'"([^"]+)"', declared[1]))


def allowed(policies: policy.Policies, subject: str, action: str) -> bool:
    """Whether the policies alone permit it; what status, suspension and separation refuse comes before them."""
    part = policies.find(DomainId(SITE), action)
    if part is None:
        return False
    uid, involved = _entities(subject)
    resource, belongings = entities.installation()
    verdict = engine.decide(part.whole, engine.Question(uid, action, resource), entities.merge(involved, belongings))
    assert not verdict.errors, (subject, action, verdict.errors)
    return verdict.allowed


def _entities(subject: str) -> tuple[Uid, tuple[Entity, ...]]:
    if subject == "bootstrap":
        office = ("Role", f"{SITE}/bootstrap")
        uid = ("Bootstrap", "b")
        return uid, (Entity(uid, {}, (office,)), Entity(office))
    if subject in ("gateway", "sensor", "application", "service"):
        uid = ("Device", "d")
        return uid, (Entity(uid, {"kind": subject}),)
    office = ("Role", f"{SITE}/{subject}")
    uid = ("Person", "p")
    parents = () if subject == NOBODY else (office,)
    person = Entity(uid, {"clearance": 0, "domains": (), "suspended": False}, parents)
    return uid, (person, *(Entity(parent) for parent in parents))


def table(policies: policy.Policies) -> str:
    """The whole file."""
    lines = [f"| permission | {' | '.join(SUBJECTS)} |", f"| --- |{' --- |' * len(SUBJECTS)}"]
    for action in actions():
        cells = ["✔" if allowed(policies, subject, action) else "" for subject in SUBJECTS]
        lines.append(f"| `{action}` | {' | '.join(cells)} |")
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table(policy.load()), encoding="utf-8")
