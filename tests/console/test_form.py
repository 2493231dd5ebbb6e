"""Forms: only from a page of ours, in the same browser, under the same certificate, for the same act; and readable."""

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.console import form
from core.console.errors import BadForm
from core.rule import SAME_ORIGIN
from pki.models import DeskRequest
from tests.console.house import Browser, Console

FOREIGN = {
    "another site": {"origin": "https://evil.example", "sec_fetch_site": "cross-site"},
    "another origin alone": {"origin": "https://evil.example", "sec_fetch_site": ""},
    "another port": {"origin": "https://testserver:8443", "sec_fetch_site": "same-site"},
    "in the clear": {"origin": "http://testserver", "sec_fetch_site": ""},
    "a sandboxed frame": {"origin": "null", "sec_fetch_site": ""},
    "typed by hand": {"origin": "", "sec_fetch_site": "none"},
    "no browser of ours": {"origin": "", "sec_fetch_site": ""},
}


@pytest.fixture(scope="module")
def row(console: Console) -> DeskRequest:
    return console.file()


def check_refused(console: Console, row: DeskRequest, browser: Browser, fields: dict[str, str], **headers: str) -> None:
    before = len(console.records("access.act.refused"))
    path = f"/console/request/{row.id}/approval"
    answer = browser.send(path, {"comment": "", **fields}, **headers)
    assert answer.status_code == 403
    assert "same-origin" in answer.text
    assert console.state(row) == "submitted"
    records = console.records("access.act.refused")
    assert len(records) == before + 1
    said = json.loads(records[-1].content)
    assert said["actor"] == "zhao-ra"
    assert said["details"]["rule"] == str(SAME_ORIGIN)
    assert said["details"]["path"] == path


@pytest.mark.parametrize("whence", FOREIGN)
def test_what_comes_from_elsewhere_is_refused_and_on_record(console: Console, row: DeskRequest, whence: str) -> None:
    officer, page = console.browser("zhao-ra"), f"/console/request/{row.id}"
    check_refused(console, row, officer, officer.forms(page)[f"{page}/approval"], **FOREIGN[whence])


def test_a_form_is_for_one_act_of_one_browser_under_one_certificate(console: Console, row: DeskRequest) -> None:
    officer, page = console.browser("zhao-ra"), f"/console/request/{row.id}"
    own = officer.forms(page)
    approval = own[f"{page}/approval"]
    other = Browser(console.app, officer.certificate)
    renewed = Browser(console.app, console.certify("zhao-ra"))
    renewed.web.cookies = officer.web.cookies
    wrong = {
        "none": {name: value for name, value in approval.items() if name != "form"},
        "empty": {**approval, "form": ""},
        "not hexadecimal": {**approval, "form": "签"},
        "of another act": {**approval, "form": own[f"{page}/return"]["form"]},
        "of another browser": {**approval, "form": other.forms(page)[f"{page}/approval"]["form"]},
        "of another certificate": {**approval, "form": renewed.forms(page)[f"{page}/approval"]["form"]},
    }
    for fields in wrong.values():
        check_refused(console, row, officer, fields)
    # A browser that never saw a page of ours.
    check_refused(console, row, Browser(console.app, officer.certificate), approval)


@pytest.mark.parametrize(
    ("media", "content", "status"),
    [
        ("application/json", b"{}", 400),
        ("text/plain", b"form=x", 400),
        ("multipart/form-data; boundary=x", b"--x--", 400),
        (form.MEDIA, b"comment=a&comment=b", 400),
        (form.MEDIA, b"&".join(b"f%d=1" % n for n in range(40)), 400),
        (form.MEDIA, b"comment=%00", 400),
        (form.MEDIA, b"comment=%1b%5b2J", 400),
        (form.MEDIA, b"comment=%ff%fe", 400),
        (form.MEDIA, "comment=签".encode(), 400),
        (form.MEDIA, b"comment=" + b"x" * form.LARGEST, 413),
    ],
)
def test_what_cannot_be_read_is_refused(
    console: Console, row: DeskRequest, media: str, content: bytes, status: int
) -> None:
    officer = console.browser("zhao-ra")
    headers = {"origin": "https://testserver", "content-type": media}
    answer = officer.web.post(f"/console/request/{row.id}/approval", content=content, headers=headers)
    assert answer.status_code == status
    assert "content-security-policy" in answer.headers
    assert console.state(row) == "submitted"


def test_a_field_that_nobody_asked_for_is_refused(console: Console, row: DeskRequest) -> None:
    officer, page = console.browser("zhao-ra"), f"/console/request/{row.id}"
    for fields in ({"officers": "1"}, {"digest": "0" * 63}, {"comment": "x" * 1001}):
        answer = officer.act(page, f"{page}/approval", **{"comment": "", **fields})
        assert answer.status_code == 400
    assert console.state(row) == "submitted"


@given(content=some.binary(max_size=400))
def test_any_octets_are_read_or_refused(content: bytes) -> None:
    try:
        fields = form.parse(form.MEDIA, content)
    except BadForm:
        return
    assert all("\0" not in value for value in fields.values())


@given(fields=some.dictionaries(some.text("abcdef", min_size=1, max_size=8), some.text(max_size=40), max_size=8))
def test_what_is_printable_comes_back_as_it_was_written(fields: dict[str, str]) -> None:
    sound = {name: value for name, value in fields.items() if value.isprintable() and not value.isspace()}
    wanted = {name: value.strip() for name, value in sound.items()}
    assert form.parse(f"{form.MEDIA}; charset=UTF-8", urlencode(sound).encode()) == wanted
