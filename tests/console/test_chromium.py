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
from pki.issuer import ROOT
from pki.models import Authority
from tests.authz.house import key_pem
from tests.console import house
from tests.console.house import Console
from tests.services import certificate, chromium
from tests.services.http import serving
from tests.services.softhsm import Running

#: Where pictures are kept to be looked at; nowhere without it.
PICTURES = os.environ.get("GUOSUO_PICTURES", "")


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
            files[0].write_text(self.console.pki.issue(person, key).chain_pem)
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
    (folder / "root.pem").write_text(trusted)
    return tls.server_context(certificate=own.certificate, key=own.key, trusted=folder / "root.pem")


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
        access(page, "a")
        page.wait_for_url("**done=yes")
        expect(page.get_by_role("status")).to_contain_text("已签发")
    assert office.console.state(row) == "issued"
