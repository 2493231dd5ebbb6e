"""The first page: red, next and mine, each part by its own permission; and the choice of a language."""

import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from core.access import Foresight
from core.console.language import Language, preferred
from core.duty import duty
from core.identity import SITE, SubjectKind
from core.jobs import JobLease
from core.registry.credential import Credential
from deploy.console.health import Health
from deploy.console.overview import MOST
from pki.console import mine
from pki.request import IssuanceRequest
from tests.console.house import Browser, Console
from tests.pki.conftest import csr


def overdue(console: Console, kind: str, post: str, title: str) -> None:
    at = console.pki.clock.now()
    with console.database.write() as session:
        duty.raise_duty(
            session,
            kind=kind,
            object_=f"thing:{kind}",
            title=title,
            post=post,
            domain=SITE,
            due=at - timedelta(days=1),
            at=at,
            actor="device:trust",
        )


def test_what_is_red_is_shown_to_whoever_may_see_it(console: Console) -> None:
    overdue(console, "failed-drill", "czt-operations", "演练未通过 · the drill failed")
    shown = console.browser("wei-auditor").get("/console/").text
    assert "the drill failed" in shown
    assert "overdue" in shown
    assert "wu-ops" in shown
    own = console.browser("wu-ops").get("/console/").text
    assert "Mine, overdue and alarms" in own
    assert 'id="red"' not in own
    fresh = console.browser("jiang-tax").get("/console/").text
    assert "the drill failed" not in fresh


def test_requests_that_wait_for_me_and_those_that_came_back(console: Console) -> None:
    row = console.file("cao-police", actor="wu-ops")
    officer, filer, page = console.browser("zhao-ra"), console.browser("wu-ops"), f"/console/request/{row.id}"
    with console.database.read() as session:
        waiting = len(mine.decidable(session, "zhao-ra"))
    shown = officer.get("/console/").text
    assert "Requests that I can decide on" in shown
    assert row.id in shown or waiting > MOST
    assert "Requests that I can decide on" not in filer.get("/console/").text
    officer.act(page, f"{page}/return", comment="wrong key")
    assert row.id in filer.get("/console/").text


def test_a_certificate_that_ends_soon_is_marked(console: Console) -> None:
    browser = Browser(console.app, console.certify("yan-police"))
    assert '<span class="mark wait">soon</span>' not in browser.get("/console/").text
    assert browser.certificate is not None
    with console.database.write() as session:
        row = session.get_one(Credential, browser.certificate.serial)
        row.not_after = console.pki.clock.now() + timedelta(days=20)
        session.add(row)
    shown = browser.get("/console/").text
    assert '<span class="mark wait">soon</span>' in shown
    assert "in use" in shown


def test_looking_is_decided_and_on_record_and_what_is_hidden_is_not(console: Console) -> None:
    before = len(console.records("authz.decision.made"))
    console.browser("jiang-tax").get("/console/")
    console.browser("wei-auditor").get("/console/")
    made = console.records("authz.decision.made")[before:]
    said = [(row.actor, json.loads(row.content)["details"]["action"], row.result) for row in made]
    assert said == [
        ("jiang-tax", "self:identity:read", "done"),
        ("wei-auditor", "self:identity:read", "done"),
        ("wei-auditor", "self:duty:read", "done"),
        ("wei-auditor", "duty:entry:read", "done"),
        ("wei-auditor", "approval:proposal:read", "done"),
    ]


def test_foresight_says_what_the_decision_says_and_records_nothing(console: Console) -> None:
    browser = console.browser("zhao-ra")
    assert browser.certificate is not None
    principal = console.pki.authenticator.authenticate(browser.certificate.der)
    foresight = console.provided[Foresight]
    before = len(console.records("authz.decision.made"))
    asked = ["pki:request:decide", "pki:certificate:revoke", "no:such:thing"]
    assert foresight.allowed(principal, asked) == {"pki:request:decide"}
    assert len(console.records("authz.decision.made")) == before


def test_what_stands_still_is_red(console: Console) -> None:
    clock = console.pki.clock
    with console.database.write() as session:
        session.add(JobLease(name="pki.crl.publish", last_started=clock.now(), last_error="the signer does not answer"))
    periods = {"pki.crl.publish": timedelta(minutes=1), "never.ran": timedelta(minutes=1)}
    red = Health(console.database, clock, periods, list).red()
    assert [(one.name, one.found) for one in red][:2] == [
        ("job never.ran", "it never ran"),
        ("job pki.crl.publish", "the signer does not answer"),
    ]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "zh"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("fr,en;q=0.5,zh;q=0.7", "zh"),
        ("zh;q=0,en", "en"),
        ("en;q=x,de", "zh"),
        (",;,;q=", "zh"),
        ("\u00e9" * 300, "zh"),
    ],
)
def test_the_language_of_the_browser(header: str, expected: str) -> None:
    assert preferred(header) == Language(expected)


def test_the_language_is_switched_and_remembered(console: Console) -> None:
    browser = Browser(console.app, console.certify("zhao-ra"), "zh")
    page = browser.get("/console/request?state=issued").text
    assert 'lang="zh-CN"' in page
    assert "/console/language/en?back=/console/request%3Fstate%3Dissued" in page
    answer = browser.get("/console/language/en?back=/console/request%3Fstate%3Dissued")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/request?state=issued")
    english = browser.get("/console/request?state=issued")
    assert '<html lang="en">' in english.text
    assert english.headers["content-language"] == "en"


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "/\\evil", "/console", "/console/\r\nX: y"]
)
def test_back_is_a_page_of_ours(console: Console, back: str) -> None:
    answer = console.browser("zhao-ra").web.get("/console/language/en", params={"back": back})
    assert answer.status_code == 400
    assert console.browser("zhao-ra").get("/console/language/fr").status_code == 400


def test_whoever_is_nobody_in_the_register_sees_their_certificate_and_no_more(console: Console) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    request = IssuanceRequest(csr(key, "bootstrap"), "bootstrap", SubjectKind.BOOTSTRAP, "bootstrap")
    browser = Browser(console.app, console.pki.authority.issue(request, actor="founding"))
    shown = browser.get("/console/")
    assert shown.status_code == 200
    assert "in use" in shown.text
    assert 'id="red"' not in shown.text
    assert browser.get("/console/request").status_code == 403
