"""The three administrators as the policies and the interface keep them: by every permission, by every route."""

import re
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from authz import policy
from core.access import Authenticator, DecisionPoint, DecisionRequest
from core.approval import acts, administrator
from core.approval.acts import Acts
from core.clock import Clock
from core.database import Database
from core.enforcement import permission_of
from core.identity import SITE, DomainId, Principal, RequestId
from core.ledger.fast import FastQueue
from core.ledger.group import GroupCommit
from core.registry import role
from core.registry.credential import CredentialStanding
from core.registry.models import RoleAssignment
from core.signing import GoodStanding, Origin
from deploy.app import SERVICE, service_app
from deploy.settings import Settings
from deploy.wiring import Built
from pki.request import IssuedCertificate
from tests.authz import permissions
from tests.authz.house import POLICIES, House
from tests.authz.permissions import NOBODY, SUBJECTS, actions, allowed

#: What tells of people's work, and what changes the register or somebody's rights: not for who runs the machines.
BUSINESS = {
    "authz:decision:explain",
    "evidence:bundle:export",
    "evidence:record:annotate",
    "evidence:record:read",
    "monitor:finding:read",
    "pki:certificate:issue",
    "pki:certificate:revoke",
    "register:change:apply",
    "role:appointment:make",
    "role:assignment:make",
}

#: What changes something; an auditor annotates, decides as one of two, and exports what is there.
CHANGING = re.compile(r":(make|apply|issue|revoke|create|report|leave|set|change|add|give|enter|place|release|erase)$")
AUDITORS_OWN = {"approval:proposal:make", "approval:proposal:decide"}


def rights(subject: str) -> set[str]:
    return {action for action in actions() if allowed(POLICIES, subject, action)}


def test_table_of_rights_is_the_reviewed_one() -> None:
    assert permissions.TABLE.read_text(encoding="utf-8") == permissions.table(policy.load()), (
        "rights changed: look at the change, then run python -m tests.authz.permissions"
    )


def test_fresh_person_may_see_who_they_are_and_stay_so_and_nothing_else() -> None:
    """Renewing gives nothing that the present certificate does not: the same holder, profile and names."""
    assert rights(NOBODY) == {"self:certificate:renew", "self:identity:read"}


def test_bootstrap_appoints_and_nothing_else() -> None:
    assert rights("bootstrap") == {"role:appointment:make", "self:identity:read"}


def test_system_administrator_reads_no_business_data() -> None:
    assert rights("system-administrator") & BUSINESS == set()


def test_who_places_holds_sees_them_and_so_does_the_auditor() -> None:
    assert {one for one in rights("security-administrator") if one.startswith("evidence:")} == {
        "evidence:hold:place",
        "evidence:hold:read",
        "evidence:hold:release",
    }
    assert {who for who in SUBJECTS if allowed(POLICIES, who, "evidence:hold:read")} == {
        "auditor",
        "security-administrator",
    }


def test_auditor_changes_nothing() -> None:
    changing = {action for action in rights("auditor") if CHANGING.search(action)}
    assert changing - AUDITORS_OWN == set()


def test_security_administrator_reads_no_evidence_and_makes_no_backup() -> None:
    reading = ("evidence:record:", "evidence:body:", "evidence:bundle:", "backup:point:create")
    assert {one for one in rights("security-administrator") if one.startswith(reading)} == set()


def test_every_permission_is_somebodys_and_every_route_has_one_of_them() -> None:
    unused = [action for action in actions() if not any(allowed(POLICIES, subject, action) for subject in SUBJECTS)]
    assert unused == []
    asked = {permission_of(route.endpoint) for route in routes()} - {"public"}
    assert asked - set(actions()) == set()


def routes() -> Iterator[APIRoute]:
    for router in SERVICE:
        assert isinstance(router, APIRouter)
        for route in router.routes:
            assert isinstance(route, APIRoute)
            yield route


def test_nothing_can_be_deleted() -> None:
    assert [route.path for route in routes() if route.methods & {"DELETE", "PUT", "PATCH"}] == []


Scope = MutableMapping[str, Any]


class Shown:
    """Puts a peer certificate into the scope, as the TLS server does."""

    def __init__(self, app: Callable[..., Awaitable[None]], certificate: bytes | None) -> None:
        self.app, self.certificate = app, certificate

    async def __call__(self, scope: Scope, receive: object, send: object) -> None:
        if self.certificate is not None:
            scope["extensions"] = {"tls": {"client_certificate": self.certificate}}
        await self.app(scope, receive, send)


def client(house: House, certificate: bytes | None) -> TestClient:
    provided: dict[type, object] = {
        Clock: house.clock,
        Database: house.database,
        Authenticator: house.pki.authenticator,
        DecisionPoint: house.decisions,
        Origin: Origin("guosuo.example/evidence"),
        GoodStanding: CredentialStanding(),
        Acts: Acts([one for one in acts.load() if one.act == administrator.NAME], [administrator.ACT]),
    }
    # The thread of the queue begins with its first record, and there is none.
    queue = FastQueue(database=house.database, group=GroupCommit(house.database))
    app = service_app(Built(Settings.model_construct(), provided, queue))
    return TestClient(Shown(app, certificate), raise_server_exceptions=False)


def call(web: TestClient, route: APIRoute) -> tuple[int, str]:
    path = re.sub(r"\{[^}]+\}", "a" * 32, route.path)
    method = sorted(route.methods)[0]
    answer = web.request(method, path, json={} if method == "POST" else None)
    return answer.status_code, f"{method} {route.path}"


def test_fresh_person_with_a_good_certificate_gets_nothing_by_any_route(sqlite_house: House) -> None:
    web = client(sqlite_house, sqlite_house.pki.issue("li-wen").der)
    seen = [(route, *call(web, route)) for route in routes() if permission_of(route.endpoint) != "public"]
    assert len(seen) > 30
    open_ = [name for _route, status, name in seen if status != 403]
    assert sorted(open_) == ["GET /api/v1/identity", "POST /api/v1/certificate/renewal"]


def test_without_a_certificate_nothing_is_answered(sqlite_house: House) -> None:
    web = client(sqlite_house, None)
    seen = [call(web, route) for route in routes() if permission_of(route.endpoint) != "public"]
    assert {status for status, _name in seen} == {401}


@pytest.mark.parametrize("office", [*role.ADMINISTRATORS, *role.OFFICES])
def test_each_office_by_every_route_as_the_table_says(sqlite_house: House, office: str) -> None:
    """The interface refuses exactly what the reviewed table does not permit."""
    with sqlite_house.database.write() as session:
        give(sqlite_house, session, "li-wen", office)
    web = client(sqlite_house, sqlite_house.pki.issue("li-wen").der)
    wrong = []
    for route in routes():
        needed = permission_of(route.endpoint)
        if needed == "public":
            continue
        status, name = call(web, route)
        if (status == 403) is allowed(POLICIES, office, needed):
            wrong.append((status, name, needed))
    assert wrong == []


def give(house: House, session: Any, person: str, office: str) -> None:
    at = house.clock.now()
    session.add(RoleAssignment(person=person, domain="site", role=office, since=at, giver="by hand"))


def decide(house: House, who: Principal, action: str) -> tuple[bool, str, str]:
    request = DecisionRequest(who, action, "installation", "site", DomainId(SITE), RequestId("a" * 32))
    made = house.decisions.decide(request)
    return made.allowed, made.reason, made.explanation


PAIRS = [
    ("system-administrator", "security-administrator"),
    ("system-administrator", "auditor"),
    ("security-administrator", "auditor"),
    ("analyst", "auditor"),
]


@pytest.mark.parametrize("pair", PAIRS)
def test_two_offices_by_any_path_are_none(house: House, pair: tuple[str, str]) -> None:
    """A hand in the database, or a restore, gave what assignment refuses."""
    with house.database.write() as session:
        give(house, session, "li-wen", pair[0])
    issued: IssuedCertificate = house.pki.issue("li-wen")
    who = house.principal(issued)
    first = sorted(rights(pair[0]) - {"self:identity:read"})[0]
    assert decide(house, who, first)[0]
    with house.database.write() as session:
        give(house, session, "li-wen", pair[1])
    for action in sorted((rights(pair[0]) | rights(pair[1])) - {"self:identity:read"}):
        permitted, reason, explanation = decide(house, who, action)
        assert (permitted, reason) == (False, "separation-of-duties")
        assert "three-administrators 系统管理员" in explanation
    assert decide(house, who, "self:identity:read")[0]
    assert house.records("authz.decision.made")[-2].result == "refused"


def test_resolved_it_works_again(house: House) -> None:
    with house.database.write() as session:
        give(house, session, "li-wen", "auditor")
        give(house, session, "li-wen", "system-administrator")
    who = house.principal(house.pki.issue("li-wen"))
    assert not decide(house, who, "evidence:record:read")[0]
    house.clock.advance(seconds=1)
    with house.database.write() as session:
        role.withdraw(
            session, person=who.identifier, domain="site", role="system-administrator", actor="x", at=house.clock.now()
        )
    assert decide(house, who, "evidence:record:read")[0]
