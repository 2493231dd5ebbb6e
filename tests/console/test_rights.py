"""Who may look at and do what: every page by every office as the reviewed table says, and headers on every answer."""

import re
from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute

from core.console import viewer
from core.enforcement import permission_of
from core.identity import SITE, PersonId
from core.registry import role
from deploy.app import CONSOLE
from pki import deskofficer
from tests.authz.house import POLICIES
from tests.authz.permissions import NOBODY, SUBJECTS, actions, allowed
from tests.console.house import ORIGIN, Browser, Console, check_shielded

#: What stands for the parts of an address.
PARTS = {"identifier": "0" * 16, "serial": "0" * 40, "record": "0" * 32, "name": "console.css", "chosen": "en"}


def routes() -> Iterator[APIRoute]:
    for router in CONSOLE:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            yield route


def call(browser: Browser, route: APIRoute) -> int:
    path = re.sub(r"\{([^}]+)\}", lambda part: PARTS[part[1]], route.path)
    method = sorted(route.methods)[0]
    fields = {}
    if method == "POST" and browser.certificate is not None:
        browser.get("/console/")
        fields = {"form": "x"}
    answer = browser.web.request(method, path, data=fields, headers={"origin": ORIGIN})
    check_shielded(answer)
    # That the form is not ours is told only to whoever may do it.
    return 200 if answer.status_code == 403 and "same-origin" in answer.text else answer.status_code


def test_every_page_has_a_permission_that_there_is() -> None:
    asked = {permission_of(route.endpoint) for route in routes()}
    assert asked - {"public"} <= set(actions())
    assert {"public", "pki:request:decide", "pki:certificate:revoke"} <= asked
    assert [route.path for route in routes() if route.methods - {"GET", "POST"}] == []


def test_who_decides_at_the_desk_is_who_the_policies_permit() -> None:
    permitted = {subject for subject in SUBJECTS if allowed(POLICIES, subject, "pki:request:decide")}
    assert permitted == set(deskofficer.DECIDING)


@pytest.mark.parametrize("office", [NOBODY, *role.ADMINISTRATORS, *role.OFFICES])
def test_each_office_by_every_page_as_the_table_says(console: Console, office: str) -> None:
    people = {
        NOBODY: "jiang-tax",
        "registration-officer": "zhao-ra",
        "security-administrator": "lu-security",
        "auditor": "wei-auditor",
        "system-administrator": "he-sysadmin",
        "analyst": "sun-yue",
        "recovery-operator": "tang-recovery",
    }
    if office == "recovery-operator":
        with console.database.write() as session:
            at = console.pki.clock.now()
            role.assign(session, person=PersonId(people[office]), domain=SITE, role=office, giver="lu-security", at=at)
    browser = console.browser(people[office])
    wrong = []
    for route in routes():
        needed = permission_of(route.endpoint)
        status = call(browser, route)
        if (status == 403) is (needed == "public" or allowed(POLICIES, office, needed)):
            wrong.append((route.path, needed, status))
    assert wrong == []


def test_without_a_certificate_there_is_one_page(console: Console) -> None:
    browser = Browser(console.app, None, "zh")
    seen = {permission_of(route.endpoint) == "public": set() for route in routes()}
    for route in routes():
        seen[permission_of(route.endpoint) == "public"].add(call(browser, route))
    assert seen == {True: {200, 303}, False: {401}}
    page = browser.get("/console/").text
    assert "本次连接没有出示证书" in page
    assert "set-cookie" not in browser.get("/console/").headers


def test_who_is_revoked_is_out_at_the_next_click(console: Console) -> None:
    browser = Browser(console.app, console.certify("zhao-ra"))
    assert browser.get("/console/").status_code == 200
    assert browser.certificate is not None
    page = f"/console/certificate/{browser.certificate.serial}"
    console.browser("lu-security").act(page, f"{page}/revocation", reason="superseded", seen="yes")
    assert browser.get("/console/").status_code == 401


def test_the_menu_offers_what_is_permitted(console: Console) -> None:
    assert "/console/request" in console.browser("zhao-ra").get("/console/").text
    fresh = console.browser("jiang-tax").get("/console/").text
    assert 'href="/console/request"' not in fresh
    assert 'href="/console/certificate"' not in fresh


def test_the_interface_keeps_its_own_answers(console: Console) -> None:
    """Beside the console: problem documents for programs, and no headers of pages."""
    answer = console.browser("zhao-ra").web.get("/api/v1/request")
    assert answer.headers["content-type"] == "application/json"
    assert "content-security-policy" not in answer.headers
    missing = console.browser("zhao-ra").web.get("/consoles")
    assert missing.headers["content-type"] == "application/problem+json"


def test_style_and_script_are_kept_and_nothing_else_is(console: Console) -> None:
    browser = Browser(console.app, None)
    page = browser.get("/console/").text
    for address in re.findall(r'(?:href|src)="(/console/static/[^"]+)"', page):
        answer = browser.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert browser.get("/console/static/../page.py").status_code == 404
    assert browser.get("/console/static/shell.html").status_code == 404
    assert console.browser("zhao-ra").get("/console/").headers["cache-control"] == "no-store"


def test_the_secret_of_a_browser_is_told_once_and_to_nobody_else(console: Console) -> None:
    browser = Browser(console.app, console.certify("zhao-ra"))
    first = browser.get("/console/")
    (cookie,) = first.headers.get_list("set-cookie")
    assert cookie.startswith(viewer.COOKIE)
    assert "SameSite=strict" in cookie
    assert browser.web.cookies[viewer.COOKIE] not in first.text
    assert "set-cookie" not in browser.get("/console/").headers
