"""Policies: what is refused before it can be in force, and what is cut out of the rest."""

from pathlib import Path

import pytest

from authz import policy
from authz.errors import PolicyRejected
from core.identity import DomainId

SHIPPED = {path.stem: path.read_text("utf-8") for path in policy.SHIPPED.glob("*.cedar")}
SCHEMA = policy.SCHEMA.read_text("utf-8")
HEAD = '@id("{id}") @title("t") @basis("b")\n'
PIN = 'resource in SecurityDomain::"outer-finance"'
READ = 'action == Action::"budget:read"'


def load(**more: str) -> policy.Policies:
    texts = {**SHIPPED, **{name.replace("_", "-"): text for name, text in more.items()}}
    return policy.compile_policies(texts, SCHEMA)


def with_policy(body: str, identifier: str = "new") -> str:
    return SHIPPED["outer-finance"] + HEAD.format(id=identifier) + body


def test_the_shipped_policies_load() -> None:
    found = policy.load()
    assert found.actions(DomainId("outer-finance")) == {"budget:read", "budget:write"}
    part = found.find(DomainId("outer-finance"), "budget:read")
    assert part is not None
    assert set(part.single) == {
        *("g-suspended-person", "g-suspended-domain", "g-membership", "g-dominance", "g-ceiling"),
        *("finance-read", "finance-write"),
    }
    assert found.find(DomainId("outer-finance"), "document:read") is None
    assert found.find(DomainId("nowhere"), "budget:read") is None
    assert len(found.digest) == 64


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("permit (principal, action, resource);", "not pinned"),
        (f"permit (principal, {READ}, resource);", "not pinned"),
        (f'permit (principal, {READ}, resource in SecurityDomain::"inner-office");', "not pinned"),
        (f'permit (principal, {READ}, resource == Resource::"document/budget");', "not pinned"),
        (f"permit (principal, action, {PIN});", "names its actions"),
        (f'permit (principal, action == Action::"Budget Read", {PIN});', "not an action's name"),
        (f"permit (principal == ?principal, {READ}, {PIN});", "templates"),
        (f"permit (principal, {READ}, {PIN}) when {{ true }};", "always the same"),
        (f"forbid (principal, {READ}, {PIN}) when {{ resource.level + 1 > 2 }};", "arithmetic"),
        (f"forbid (principal, {READ}, {PIN}) when {{ -resource.level < 0 }};", "arithmetic"),
        (f"forbid (principal, {READ}, {PIN}) when {{ ip(resource.kind).isLoopback() }};", "may fail"),
        (f'forbid (principal, {READ}, {PIN}) when {{ SecurityDomain::"x".suspended }};', "may not exist"),
        (f"permit (principal, {READ}, {PIN}) when {{ principal.colour == 1 }};", "colour"),
        (f"permit (principal is Device, {READ}, {PIN});", "new"),
        (f"permit (principal, {READ} {PIN});", "cannot be read"),
        (f'permit (principal, action == Action::"role:appointment:make", {PIN});', "new"),
    ],
)
def test_a_domain_cannot_have_what_is_unsafe(body: str, complaint: str) -> None:
    with pytest.raises(PolicyRejected) as refused:
        load(outer_finance=with_policy(body))
    assert complaint in refused.value.detail
    assert "outer-finance" in refused.value.detail


@pytest.mark.parametrize(
    ("guardrail", "complaint"),
    [
        ("permit (principal, action, resource);", "may only forbid"),
        (f"forbid (principal, {READ}, resource);", "every action"),
        ("forbid (principal, action, resource is Resource) when { resource.level * 2 > 3 };", "arithmetic"),
    ],
)
def test_a_guard_rail_only_forbids_and_always_holds(guardrail: str, complaint: str) -> None:
    with pytest.raises(PolicyRejected, match=complaint):
        load(guardrails=SHIPPED["guardrails"] + HEAD.format(id="g-new") + guardrail)


@pytest.mark.parametrize("missing", ["id", "title", "basis"])
def test_every_policy_is_named_titled_and_based_on_something(missing: str) -> None:
    annotations = "".join(f'@{name}("x")' for name in ("id", "title", "basis") if name != missing)
    with pytest.raises(PolicyRejected, match=f"@{missing} is missing"):
        load(outer_finance=SHIPPED["outer-finance"] + f"{annotations} permit (principal, {READ}, {PIN});")


def test_an_id_is_used_once_in_the_whole_installation() -> None:
    with pytest.raises(PolicyRejected, match="already used"):
        load(outer_finance=with_policy(f"permit (principal, {READ}, {PIN});", "g-dominance"))


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(PolicyRejected) as refused:
        load(outer_finance=with_policy("permit (principal, action, resource) when { true };"))
    assert refused.value.detail.count(";") >= 2


def test_the_installation_is_no_domain() -> None:
    with pytest.raises(PolicyRejected, match="site"):
        load(site="")


def test_a_folder_without_guard_rails_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyRejected, match=r"administration\.cedar|guardrails\.cedar"):
        policy.load(tmp_path)
    (tmp_path / "administration.cedar").write_text(SHIPPED["administration"])
    with pytest.raises(PolicyRejected, match=r"guardrails\.cedar"):
        policy.load(tmp_path)


def test_the_digest_changes_with_any_text() -> None:
    assert load().digest == policy.load().digest
    assert load(outer_finance=SHIPPED["outer-finance"] + "\n").digest != load().digest
    assert policy.compile_policies(SHIPPED, SCHEMA + "\n").digest != load().digest
