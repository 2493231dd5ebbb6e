"""The console of a province over a real store, token and policies, and several people's browsers in this process."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlmodel import select
from starlette.types import ASGIApp

from authz.foresight import PolicyForesight
from core.access import Authenticator, DecisionPoint, Foresight
from core.approval import acts, administrator
from core.approval.acts import Acts
from core.clock import Clock
from core.console.page import Navigation
from core.database import Database
from core.identity import SITE, PersonId
from core.ledger.fast import FastQueue
from core.ledger.group import GroupCommit
from core.ledger.models import EvidenceRow
from core.ledger.sequencer import Sequencer
from core.registry import role
from core.registry.holding import Holders
from core.registry.models import RoleAssignment
from deploy.app import service_app
from deploy.console import parts
from deploy.console.health import Health
from deploy.settings import Settings
from deploy.wiring import Built
from pki.desk import RequestDesk
from pki.models import DeskRequest
from pki.request import IssuanceRequest, IssuedCertificate
from tests.authz import house
from tests.authz.test_separation import Shown
from tests.core.ledger.keys import MemoryCheckpointSigner
from tests.deploy.holdings import HOLDERS
from tests.pki import conftest as authorities
from tests.pki.conftest import Pki
from tests.services.softhsm import Running

OFFICES = {
    "zhao-ra": "registration-officer",
    "lu-security": "security-administrator",
    "wei-auditor": "auditor",
    "he-sysadmin": "system-administrator",
}

ORIGIN = "https://testserver"


@dataclass
class Console:
    pki: Pki
    decisions: house.PolicyDecisionPoint
    app: ASGIApp
    provided: dict[type, object]
    browsers: dict[str, "Browser"] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        return self.pki.database

    def certify(self, person: str) -> IssuedCertificate:
        return self.pki.issue(person)

    def browser(self, person: str, language: str = "en") -> "Browser":
        """One browser a person, with a certificate of its own."""
        key = f"{person}/{language}"
        if key not in self.browsers:
            self.browsers[key] = Browser(self.app, self.certify(person), language)
        return self.browsers[key]

    def file(self, holder: str = "li-wen", *, actor: str = "wu-ops", hosts: tuple[str, ...] = ()) -> DeskRequest:
        key = ec.generate_private_key(ec.SECP256R1())
        profile = "person"
        request = IssuanceRequest(authorities.csr(key, holder), profile, None, holder, hosts)
        return self.pki.desk.file(request, actor=actor)

    def state(self, row: DeskRequest) -> str:
        with self.database.read() as session:
            return session.get_one(DeskRequest, row.id).state

    def records(self, kind: str) -> list[EvidenceRow]:
        with self.database.read() as session:
            rows = session.exec(select(EvidenceRow).where(EvidenceRow.type == kind))
            return sorted(rows, key=lambda row: row.row or 0)


class Browser:
    """Somebody's browser: shows a certificate, keeps cookies, fills in forms."""

    def __init__(self, app: ASGIApp, certificate: IssuedCertificate | None, language: str = "en") -> None:
        self.certificate = certificate
        shown = Shown(app, certificate.der if certificate else None)
        self.web = TestClient(shown, base_url=ORIGIN, raise_server_exceptions=False, follow_redirects=False)
        self.web.headers["accept-language"] = language

    def get(self, path: str, **headers: str) -> Response:
        answer = self.web.get(path, headers=headers)
        check_shielded(answer)
        return answer

    def forms(self, path: str) -> "dict[str, dict[str, str]]":
        """The forms of a page by where they go, with what they bring along."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return Forms.of(answer.text)

    def send(self, path: str, fields: dict[str, str], **headers: str) -> Response:
        sent = {"origin": ORIGIN, "sec-fetch-site": "same-origin"} | {
            k.replace("_", "-"): v for k, v in headers.items()
        }
        answer = self.web.post(path, data=fields, headers={k: v for k, v in sent.items() if v})
        check_shielded(answer)
        return answer

    def act(self, page: str, action: str, **fields: str) -> Response:
        """Open a page, fill in the form that goes to ``action`` and send it."""
        return self.send(action, {**self.forms(page)[action], **fields})


def check_shielded(answer: Response) -> None:
    """Every answer, whatever it is."""
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "cache-control" in answer.headers
    for cookie in answer.headers.get_list("set-cookie"):
        assert cookie.startswith("__Host-")
        assert "Secure" in cookie
        assert "HttpOnly" in cookie
    if answer.headers.get("content-type", "").startswith("text/html"):
        Sound().check(answer.text)


class Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self.now: dict[str, str] | None = None

    @classmethod
    def of(cls, text: str) -> dict[str, dict[str, str]]:
        reader = cls()
        reader.feed(text)
        return reader.found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "form":
            self.now = self.found.setdefault(said.get("action") or "", {})
        elif tag == "input" and self.now is not None and said.get("type") == "hidden":
            self.now[said["name"] or ""] = said.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.now = None


#: Elements without an end (HTML, 13.1.2).
VOID = {"meta", "link", "input", "br"}


class Sound(HTMLParser):
    """A page that is well formed, runs and styles nothing inline, and whose fields and tables say what they are."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.labels: set[str] = set()
        self.fields: list[str] = []
        self.ids: list[str] = []
        self.headings = 0

    def check(self, text: str) -> None:
        self.feed(text)
        assert self.open == []
        assert set(self.fields) <= self.labels
        assert len(set(self.ids)) == len(self.ids)
        assert self.headings == 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        assert not [name for name in said if name.startswith("on") or name == "style"], (tag, said)
        assert tag not in ("style", "iframe", "object", "base")
        assert all(said.get(name, "/").startswith(("/", "#")) for name in ("href", "src", "action")), (tag, said)
        self.ids += [said["id"]] if "id" in said else []
        self.labels |= {said["for"]} if "for" in said else set()
        self.headings += tag == "h1"
        if tag in ("select", "textarea") or (tag == "input" and said.get("type") not in ("hidden", "checkbox")):
            self.fields.append(said["id"])
        if tag == "script":
            assert said["src"].startswith("/console/static/")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        assert self.open[-1:] != ["script"] or not data.strip()


@contextmanager
def built(database: Database, clock: Clock, signer: Running, folder: Path) -> Iterator[Console]:
    """The console, with evidence and lists that are published as it goes."""
    pki = authorities.build(database, clock, signer, folder)  # type: ignore[arg-type]  # any clock will do
    made = house.build(pki)
    with database.write() as session:
        for person, office in OFFICES.items():
            session.add(RoleAssignment(person=person, domain=SITE, role=office, since=clock.now(), giver="by hand"))
        role.assign(
            session, person=PersonId("sun-yue"), domain=SITE, role="analyst", giver="lu-security", at=clock.now()
        )
    provided: dict[type, object] = {
        Clock: clock,
        Database: database,
        Authenticator: pki.authenticator,
        DecisionPoint: made.decisions,
        Foresight: PolicyForesight(database=database, clock=clock, decisions=made.decisions),
        Holders: HOLDERS,
        Health: Health(database, clock, {}, list),
        Navigation: parts.MENU,
        RequestDesk: RequestDesk(database=database, authority=pki.authority, clock=clock, random=secrets.token_bytes),
        Acts: Acts([one for one in acts.load() if one.act == administrator.NAME], [administrator.ACT]),
    }
    queue = FastQueue(database=database, group=GroupCommit(database))
    console = Console(pki, made.decisions, service_app(Built(Settings.model_construct(), provided, queue)), provided)
    with _published(pki, clock, folder):
        yield console


@contextmanager
def _published(pki: Pki, clock: Clock, folder: Path) -> Iterator[None]:
    stop = threading.Event()
    sequencer = Sequencer(
        database=pki.database,
        clock=clock,
        directory=folder / "ledger",
        origin="evidence.beichen.example/sample",
        signer=MemoryCheckpointSigner(),
        owner="one",
        mirror=None,
    )

    def list_() -> None:
        while not stop.wait(0.05):
            pki.publisher.refresh()

    threads = [threading.Thread(target=sequencer.run, args=(stop,)), threading.Thread(target=list_)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
