"""The pages in a real Chromium that shows a client certificate: by keyboard alone, without script, in two languages."""

import os
import shutil
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core.clock import SystemClock
from core.database import Database
from deploy import tls
from pki import intermediate
from pki.deskofficer import Officer
from pki.issuer import ROOT
from pki.models import Authority
from tests.authz.house import key_pem, leaf
from tests.console import house
from tests.console.house import Console
from tests.services import certificate, chromium
from tests.services.http import serving
from tests.services.softhsm import Running

#: Where pictures are kept to be looked at, among them docs/desk.png; nowhere without it.
PICTURES = os.environ.get("GUOSUO_PICTURES", "")

#: The texts of a page whose contrast (WCAG 2.1, relative luminance) is too low.
CONTRAST = """() => {
  const read = (text) => text.match(/[\\d.]+/g).map(Number);
  const part = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = read(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) { return colour; }
    }
    return [255, 255, 255];
  };
  const low = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const one = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !one.checkVisibility()) { continue; }
    const pair = [light(read(getComputedStyle(one).color)), light(ground(one))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) { low.push(`${texts.currentNode.data.trim()} ${ratio.toFixed(2)}`); }
  }
  return low;
}"""


@dataclass
class Office:
    console: Console
    browser: Browser
    url: str
    folder: Path
    complaints: list[str] = field(default_factory=list)

    def window(self, person: str, **how: object) -> "chromium.contextmanager[BrowserContext]":  # type: ignore[name-defined]
        files = self.folder / f"{person}.pem", self.folder / f"{person}.key"
        if not files[0].exists():
            key = ec.generate_private_key(ec.SECP256R1())
            # The certificate alone: more no browser shows that is not told which authorities the server knows.
            files[0].write_text(leaf(self.console.pki.issue(person, key)))
            files[1].write_bytes(key_pem(key))
        return chromium.window(self.browser, self.url, *files, **how)  # type: ignore[arg-type]  # named by the tests

    def open(self, context: BrowserContext, path: str) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda told: self.complaints.append(told.text) if told.type == "error" else None)
        page.goto(self.url + path)
        return page


@pytest.fixture(scope="module")
def office(tables_file: Path, signer_process: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    shutil.copy(tables_file, folder / "store.sqlite3")
    with (
        closing(Database(f"sqlite:///{folder}/store.sqlite3")) as database,
        house.built(database, SystemClock(), signer_process, folder) as console,
        serving(console.app, context(console, folder)) as url,
        chromium.running() as browser,
    ):
        made = Office(console, browser, url, folder)
        yield made
        # Nothing that a browser complains of: what the policy forbids, what is missing, what the script breaks.
        assert made.complaints == []


def context(console: Console, folder: Path) -> ssl.SSLContext:
    own = certificate.make(folder)
    with console.database.read() as session:
        trusted = ssl.DER_cert_to_PEM_cert(session.get_one(Authority, ROOT).der)
        between = intermediate.certificates(session)
    (folder / "root.pem").write_text(trusted)
    return tls.server_context(certificate=own.certificate, key=own.key, trusted=folder / "root.pem", between=between)


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True)


def access(page: Page, key: str) -> None:
    """Press an access key: Alt and it, with the character that it would type, which Playwright leaves out."""
    session = page.context.new_cdp_session(page)
    said = {"modifiers": 1, "key": key, "code": f"Key{key.upper()}", "unmodifiedText": key}
    session.send("Input.dispatchKeyEvent", {"type": "keyDown", **said})
    session.send("Input.dispatchKeyEvent", {"type": "keyUp", **said})
    session.detach()


def test_an_officer_decides_by_keyboard_alone(office: Office) -> None:
    row = office.console.file("sun-yue")
    office.console.file("li-wen")
    with office.window("zhao-ra") as context:
        page = office.open(context, "/console/")
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        expect(page.locator("#mine ~ table").first).to_contain_text(row.id)
        picture(page, "overview-zh")
        # The first stop is the way past the menu.
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("跳到正文")
        access(page, "q")
        page.wait_for_url("**/console/request")
        picture(page, "requests-zh")
        page.keyboard.press("/")
        page.keyboard.type(row.id)
        page.keyboard.press("Enter")
        page.wait_for_url("**q=*")
        page.keyboard.press("j")
        expect(page.locator(":focus")).to_have_text(row.id)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/console/request/{row.id}")
        picture(page, "request-zh")
        # An access key leads to an act and does not do it.
        access(page, "a")
        expect(page.get_by_label("附言")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**done=yes")
        expect(page.get_by_role("status")).to_contain_text("已签发")
    assert office.console.state(row) == "issued"


def test_revoked_in_english_with_a_receipt(office: Office) -> None:
    office.console.pki.issue("feng-budget")
    row = office.console.file("han-office")
    first = Officer("zhao-ra", office.console.pki.issue("zhao-ra").serial)
    office.console.pki.desk.approve(row.id, digest=row.digest, comment="演练样本", officer=first)
    with office.window("lu-security", language="en-GB") as context:
        page = office.open(context, "/console/certificate?q=feng-budget")
        expect(page.locator("html")).to_have_attribute("lang", "en")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/certificate/*")
        picture(page, "certificate-en")
        access(page, "x")
        page.keyboard.type("the key is")
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**/receipt/*")
        expect(page.get_by_role("row", name="Its place in the evidence")).to_contain_text("under a signed checkpoint")
        picture(page, "receipt-en")
        page.set_viewport_size({"width": 1120, "height": 900})
        page.goto(f"{office.url}/console/request/{row.id}")
        expect(page.get_by_role("row", name="Agreed so far")).to_contain_text("zhao-ra")
        picture(page, "desk")
        # What the browser itself refuses to send without: a reason.
        page.goto(f"{office.url}/console/certificate?q=lu-security")
        page.get_by_role("cell").get_by_role("link").first.click()
        page.get_by_role("button", name="Revoke for ever").press("Enter")
        expect(page.get_by_role("combobox")).to_be_focused()


def test_a_double_click_sends_once(office: Office) -> None:
    row = office.console.file("han-office")
    with office.window("zhao-ra") as context:
        page = office.open(context, f"/console/request/{row.id}")
        page.get_by_role("button", name="同意").dblclick()
        page.wait_for_url("**done=yes")
        expect(page.get_by_role("status")).to_contain_text("待第二人审核")
    assert office.console.state(row) == "checked"


def test_every_act_works_without_script(office: Office) -> None:
    row = office.console.file("han-office")
    with office.window("zhao-ra", script=False) as context:
        page = office.open(context, f"/console/request/{row.id}")
        page.get_by_label("哪里需要修改").fill("请更换密钥")
        page.get_by_role("button", name="退回").click()
        expect(page.get_by_role("status")).to_contain_text("已退回修改")
        page.get_by_role("link", name="English").click()
        expect(page.get_by_role("status")).to_contain_text("returned to be corrected")
    assert office.console.state(row) == "returned"


def test_every_page_can_be_read_in_any_light_in_a_narrow_window_and_on_paper(office: Office) -> None:
    """Every text holds 4.5 : 1 against what it stands on (WCAG 2.1, 1.4.3), and nothing is cut off (1.4.10)."""
    row = office.console.file("han-office")
    pages = {"": "overview", "request": "requests", f"request/{row.id}": "request", "keys": "keys"}
    with office.window("zhao-ra") as context:
        page = context.new_page()
        for path, name in pages.items():
            page.set_viewport_size({"width": 1280, "height": 900})
            page.goto(f"{office.url}/console/{path}")
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate(CONTRAST) == [], (path, scheme)
            page.set_viewport_size({"width": 380, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= 380, path
            picture(page, f"{name}-narrow")
        # The measure itself.
        page.goto(f"{office.url}/console/request/{row.id}")
        page.evaluate("document.querySelector('h1').style.color = 'rgb(120, 120, 120)'")
        assert page.evaluate(CONTRAST) != []
        # What cannot be done on paper is not printed.
        expect(page.get_by_role("button", name="同意")).to_be_visible()
        page.emulate_media(media="print")
        expect(page.get_by_role("button", name="同意")).to_be_hidden()
        expect(page.get_by_role("navigation")).to_be_hidden()
        expect(page.get_by_text(row.digest)).to_be_visible()


def test_a_page_of_another_site_sends_nothing(office: Office) -> None:
    """A real browser says itself where a form comes from; the certificate is shown all the same."""
    row = office.console.file("han-office")
    before = len(office.console.records("access.act.refused"))
    with office.window("zhao-ra") as context:
        office.open(context, f"/console/request/{row.id}")
        page = context.new_page()
        page.set_content(f'<form method="post" action="{office.url}/console/request/{row.id}/rejection">')
        page.evaluate("document.forms[0].submit()")
        page.wait_for_url("**/rejection")
        expect(page.get_by_role("alert")).to_contain_text("same-origin")
    assert office.console.state(row) == "submitted"
    assert len(office.console.records("access.act.refused")) == before + 1


def test_without_a_certificate_the_page_says_what_is_missing(office: Office) -> None:
    with chromium.window(office.browser, office.url, None, None) as context:
        page = context.new_page()
        page.goto(f"{office.url}/console/")
        expect(page.get_by_role("alert")).to_contain_text("没有出示证书")
        picture(page, "refused-zh")
