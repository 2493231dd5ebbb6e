"""The request desk on pages: list, show, decide; by the right people, on the revision that they saw."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from core.console import viewer
from core.registry.models import Person
from pki.models import DeskRequest, IssuanceIntent
from pki.request import IssuanceRequest
from tests.authz.house import rows
from tests.console.house import Console, Forms
from tests.pki import conftest as authorities

ACTS = ("approval", "return", "rejection")


def page_of(row: DeskRequest) -> str:
    return f"/console/request/{row.id}"


def test_an_officer_finds_a_request_and_approves_it(console: Console) -> None:
    row = console.file()
    officer = console.browser("zhao-ra")
    listed = officer.get(f"/console/request?q={row.id}")
    assert row.id in listed.text
    page = page_of(row)
    shown = officer.get(page).text
    assert "What is asked may be issued" in shown
    assert row.digest in shown
    assert "outer-finance" in shown
    done = officer.act(page, f"{page}/approval", comment="")
    assert (done.status_code, done.headers["location"]) == (303, f"{page}?done=yes")
    assert console.state(row) == "issued"
    after = officer.get(f"{page}?done=yes").text
    assert "/console/certificate/" in after
    assert "<form" not in after
    decided = console.records("pki.desk.decided")[-1]
    assert (decided.actor, decided.object) == ("zhao-ra", f"request:{row.id}")


def test_two_officers_where_the_level_says_so(console: Console) -> None:
    row = console.file("han-office")
    first, second, page = console.browser("zhao-ra"), console.browser("lu-security"), page_of(row)
    assert "Another officer must agree after you." in first.get(page).text
    first.act(page, f"{page}/approval", comment="")
    assert console.state(row) == "checked"
    again = first.get(page).text
    assert f"{page}/approval" not in Forms.of(again)
    assert "you approved it before" in again
    shown = second.get(page).text
    assert "The certificate is issued at once." in shown
    assert "zhao-ra" in shown
    second.act(page, f"{page}/approval", comment="")
    assert console.state(row) == "issued"


@pytest.mark.parametrize(("act", "state"), [("return", "returned"), ("rejection", "rejected")])
def test_why_it_is_stopped_is_told_and_needed(console: Console, act: str, state: str) -> None:
    row = console.file()
    officer, page = console.browser("zhao-ra"), page_of(row)
    refused = officer.act(page, f"{page}/{act}", comment="  ")
    assert refused.status_code == 400
    assert console.state(row) == "submitted"
    assert officer.act(page, f"{page}/{act}", comment="换一把新的密钥\r\n谢谢").status_code == 303
    assert console.state(row) == state
    assert "换一把新的密钥" in officer.get(page).text


def test_nobody_decides_on_their_own(console: Console) -> None:
    row = console.file("li-wen", actor="zhao-ra")
    officer, page = console.browser("zhao-ra", "zh"), page_of(row)
    shown = officer.get(page).text
    assert f"{page}/approval" not in Forms.of(shown)
    assert "本人不能处理该申请" in shown
    # The page offers nothing; who sends it all the same is told, and nothing is done.
    other = console.file()
    fields = officer.forms(page_of(other))[f"{page_of(other)}/approval"]
    fields |= {"digest": row.digest, "form": token(console, "zhao-ra", "zh", f"{page}/approval")}
    refused = officer.send(f"{page}/approval", {**fields, "comment": ""})
    assert refused.status_code == 403
    assert "nobody approves a request that they filed" in refused.text
    assert console.state(row) == "submitted"


def token(console: Console, person: str, language: str, path: str) -> str:
    """What a page would put into a form that it does not show."""
    browser = console.browser(person, language)
    assert browser.certificate is not None
    principal = console.pki.authenticator.authenticate(browser.certificate.der)
    return viewer.token(browser.web.cookies[viewer.COOKIE], principal, path)


@pytest.mark.parametrize("act", ACTS)
def test_what_was_corrected_meanwhile_is_not_decided_on(console: Console, act: str) -> None:
    row = console.file()
    officer, page = console.browser("zhao-ra"), page_of(row)
    old = officer.forms(page)[f"{page}/{act}"]
    officer.act(page, f"{page}/return", comment="another key")
    key = ec.generate_private_key(ec.SECP256R1())
    corrected = IssuanceRequest(authorities.csr(key, "li-wen"), "person", None, "li-wen")
    console.pki.desk.correct(row.id, corrected, actor="wu-ops")
    refused = officer.send(f"{page}/{act}", {**old, "comment": "as I saw it"})
    assert refused.status_code == 409
    assert "was corrected after you had seen it" in refused.text
    assert f'href="{page}"' in refused.text
    assert console.state(row) == "submitted"


def test_sending_it_twice_issues_once(console: Console) -> None:
    row = console.file()
    officer, page = console.browser("zhao-ra"), page_of(row)
    fields = {**officer.forms(page)[f"{page}/approval"], "comment": ""}
    assert officer.send(f"{page}/approval", fields).status_code == 303
    again = officer.send(f"{page}/approval", fields)
    assert again.status_code == 409
    with console.database.read() as session:
        made = [one for one in rows(session, IssuanceIntent) if one.request == row.digest]
    assert len(made) == 1


def test_who_holds_no_office_sees_and_does_nothing(console: Console) -> None:
    row = console.file()
    page = page_of(row)
    administrator = console.browser("he-sysadmin")
    shown = administrator.get(page)
    assert shown.status_code == 200
    assert "You hold no office that decides on requests." in shown.text
    assert Forms.of(shown.text) == {}
    for act in ACTS:
        fields = {"form": token(console, "he-sysadmin", "en", f"{page}/{act}"), "digest": row.digest, "comment": "x"}
        refused = administrator.send(f"{page}/{act}", fields)
        assert refused.status_code == 403
        assert "pki:request:decide" in refused.text
    assert console.browser("wei-auditor").get(page).status_code == 403
    assert console.state(row) == "submitted"


def test_what_could_not_be_issued_any_more_is_told_before(console: Console) -> None:
    row = console.file("lv-hr")
    with console.database.write() as session:
        person = session.get_one(Person, "lv-hr")
        person.left_at = console.pki.clock.now()
        session.add(person)
    try:
        shown = console.browser("zhao-ra", "zh").get(page_of(row)).text
        assert "现在签发会被拒绝" in shown
        assert "持有人已离岗" in shown
    finally:
        with console.database.write() as session:
            person = session.get_one(Person, "lv-hr")
            person.left_at = None
            session.add(person)


def test_pages_follow_one_another(console: Console) -> None:
    for _ in range(27):
        console.pki.clock.advance(seconds=1)
        console.file("hua-city")
    officer = console.browser("zhao-ra")
    first = officer.get("/console/request?q=hua-city").text
    assert "1–25 of 27" in first
    assert "page=2" in first
    second = officer.get("/console/request?q=hua-city&page=2").text
    assert "26–27 of 27" in second
    assert "page=3" not in second
    # Beyond the end is the last page.
    assert "26–27 of 27" in officer.get("/console/request?q=hua-city&page=9").text
    assert "No request is like that." in officer.get("/console/request?q=hua-city&state=rejected").text


@pytest.mark.parametrize("text", ["%", "_", "' OR 1=1 --", "\x00", "\u202e", "<script>", "𠀀" * 80, "\\"])
def test_whatever_is_looked_for_is_text(console: Console, text: str) -> None:
    answer = console.browser("zhao-ra").web.get("/console/request", params={"q": text, "state": text})
    assert answer.status_code == 200
    assert "<script>" not in answer.text.replace('<script src="', "")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/console/request/" + "0" * 16, 404),
        ("/console/request/NO", 400),
        ("/console/request?page=0", 400),
        ("/console/request?page=x", 400),
        ("/console/request?q=" + "x" * 81, 400),
        ("/console/nothing", 404),
        ("/console/certificate/" + "0" * 40, 404),
    ],
)
def test_what_is_not_there_is_a_page_too(console: Console, path: str, status: int) -> None:
    answer = console.browser("zhao-ra").get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
