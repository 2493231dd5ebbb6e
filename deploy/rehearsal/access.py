"""Noon: an application behind the gateway. Who is let in, who is refused and why, and what a decision says."""

import json
import time

from core.errors import Rejected
from core.ledger.entry import JsonValue
from deploy.rehearsal import impostors, lab
from deploy.rehearsal.doors import Door, Identity, Page
from deploy.rehearsal.player import Player, complaint
from deploy.rehearsal.stage import (
    BUDGET,
    CONTROL_PORT,
    DOCUMENTS,
    GATEWAY,
    PORT,
    SERVICE_FOR_GATEWAY,
    Stage,
)
from deploy.rehearsal.step import Journal, Step, wait_for
from deploy.rehearsal.trust import (
    AUDITOR,
    CIVIL_SERVANT,
    COLLEAGUE,
    OFFICER,
    PROVINCE,
    SECURITY,
    SYSTEM,
    issuing_certificate,
)

GATEWAY_DEVICE = "gw-1"
SENSOR_DEVICE = "sensor-1"

#: Applications by host: who holds the certificate, where it runs, and in which namespace.
APPLICATIONS = {
    BUDGET: ("fin-budget-app", "fin-budget", "10.20.0.10", "finance"),
    DOCUMENTS: ("office-docs-app", "office-docs", "10.10.0.10", "archive"),
}


def play(stage: Stage) -> None:
    """Run the scene."""
    journal = stage.journal
    _open_gateway(stage, journal)
    _let_in(stage, journal)
    _refuse_connections(stage, journal)
    _decide(stage, journal)


def _open_gateway(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "开启网关 · open the gateway",
        "nginx from two reviewed app.yaml files; the hop behind it is in namespaces nobody else reaches",
        vital=True,
    ) as step:
        officer = stage.player(OFFICER)
        for device, profile in ((GATEWAY_DEVICE, "gateway"), (SENSOR_DEVICE, "sensor")):
            enrol_device(stage, officer, device, profile)
            stage.player(device).log_in(stage.gateway_url, stage.trusted)
        folder = stage.work / "gateway"
        folder.mkdir(exist_ok=True)
        for host, (device, name, address, namespace) in APPLICATIONS.items():
            enrol_device(stage, officer, device, "application", "--dns-name", host)
            command = lab.python("deploy.sample.application", "--bind", f"{address}:8000", "--name", name)
            stage.start(name, command, namespace=namespace)
        configure(stage)
        stage.start("nginx", ["nginx", "-c", str(folder / "nginx.conf")], namespace="gateway")
        opened = wait_for(lambda: _answers(stage.door()), seconds=20)
        step.check(opened is not None, "the gateway answers")
        outside = Door("10.20.0.10", 8000, BUDGET, stage.trusted)
        step.check(not _answers(outside), "the application's own address is out of everybody else's reach")
        step.check(not lab.routes_out(), "no namespace has a route out")


def configure(stage: Stage) -> None:
    """Write the gateway's configuration from the reviewed files."""
    folder = stage.work / "gateway"
    arguments = ["gateway", "config", "--directory", str(folder), "--listen", GATEWAY, "--port", str(PORT)]
    arguments += ["--control-port", str(CONTROL_PORT), "--service", f"{SERVICE_FOR_GATEWAY}:{PORT}"]
    for host, (device, name, _address, _namespace) in APPLICATIONS.items():
        shown = stage.player(device)
        arguments += ["--app", str(PROVINCE / "apps" / f"{name}.yaml")]
        arguments += ["--certificate", f"{host}={shown.certificate},{shown.key}"]
    done = stage.player(GATEWAY_DEVICE).run(*arguments)
    if done.returncode != 0:
        raise ValueError(f"gateway config: {done.stderr.strip()}")


def enrol_device(stage: Stage, officer: Player, device: str, profile: str, *more: str) -> str:
    """Certify a machine's own key and return the serial number."""
    player = stage.player(device, "gateway")
    serial = _at_the_desk(stage, officer, device, "--csr", str(player.make_request()), "--profile", profile, *more)
    made = str(officer.act("cert", "show", serial)["certificate"])
    above = issuing_certificate(stage).read_text(encoding="ascii")
    player.certificate.write_text(made + above, encoding="ascii")
    stage.notes[device] = serial
    return serial


def _at_the_desk(stage: Stage, officer: Player, device: str, *asked: str) -> str:
    """File a request and have it approved, by a second officer where its domain's level asks for one."""
    told = _told(stage.player(SYSTEM), "add", device, *asked)
    for one in (officer, stage.player(SECURITY)):
        if told["state"] != "issued":
            told = _told(one, "approve", str(told["id"]), "--yes")
    return str(told["serial"])


def _told(player: Player, *arguments: str) -> dict[str, JsonValue]:
    """Run one command of the desk; that it waits for somebody else is an answer, too."""
    done = player.run("request", *arguments, "--json")
    if done.returncode not in (0, 3):
        raise Rejected(f"`guosuo request {arguments[0]}` as {player.name}: {complaint(done)}")
    content: dict[str, JsonValue] = json.loads(done.stdout)
    return content


def _answers(door: Door) -> bool:
    try:
        door.open("/healthz", None)
    except OSError:
        return False
    return True


def _let_in(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "人员访问应用 · a person reaches the application",
        "mutual TLS 1.3 and a decision; the application greets the person by name and department",
        vital=True,
    ) as step:
        for name in (CIVIL_SERVANT, COLLEAGUE):
            page = stage.door().open("/budget/report", stage.player(name).identity)
            step.check(page.status == 200, f"{name}: {page.status} over {page.protocol}: {_first_line(page)}")
        page = stage.door().open("/healthz", None)
        step.check(page.status == 200, f"the public path answers without a certificate: {page.status}")


def _first_line(page: Page) -> str:
    lines = [line.strip() for line in page.body.splitlines() if line.strip()]
    return lines[0][:90] if lines else ""


def _refuse_connections(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "拒绝不合规的连接 · refuse connections",
        "no certificate, expired, foreign authority, look-alike authority, unmapped path: each its own reason and "
        "record; forged identity headers are overwritten",
    ) as step:
        folder = stage.work / "impostors"
        servant = stage.player(CIVIL_SERVANT)
        lookalike = impostors.issuer_name(servant.certificate)
        callers: dict[str, tuple[Identity | None, str]] = {
            "no-certificate": (None, "/budget/report"),
            "expired": (_expired(stage), "/budget/report"),
            "foreign-issuer": (
                impostors.certify(folder, "foreign", subject=CIVIL_SERVANT, issuer=impostors.foreign_name()),
                "/budget/report",
            ),
            "look-alike-issuer": (
                impostors.certify(folder, "alike", subject=CIVIL_SERVANT, issuer=lookalike),
                "/budget/report",
            ),
            "unmapped-path": (servant.identity, "/budget/secret-door"),
        }
        for reason, (identity, path) in callers.items():
            page = stage.door().open(path, identity)
            told = page.headers.get("x-guosuo-reason", "")
            step.check(page.status in (401, 403) and told == reason, f"{reason}: {page.status}, told `{told}`")
        _forge(stage, step)
        records = stage.player(AUDITOR).act("evidence", "find", "--type", "gateway.request.refused")["items"]
        assert isinstance(records, list)
        step.check(len(records) >= len(callers), f"{len(records)} records of refusal")


def _expired(stage: Stage) -> Identity:
    """Return a certificate that lived for one second."""
    player = Player(COLLEAGUE, stage.work / "people" / "short-lived")
    files = ["--csr", str(player.make_request()), "--out", str(player.certificate), "--lifetime", "1"]
    stage.player(OFFICER).act("cert", "issue", COLLEAGUE, *files)
    time.sleep(1.2)
    return player.identity


def _forge(stage: Stage, step: Step) -> None:
    forged = {
        "X-Guosuo-Serial": "f" * 40,
        "X-Guosuo-Person": COLLEAGUE,
        "X-Guosuo-Request": "0" * 32,
        "X-Guosuo-Clearance": "4",
    }
    page = stage.door().open("/budget/report", stage.player(CIVIL_SERVANT).identity, headers=forged)
    genuine = stage.notes[CIVIL_SERVANT] in page.body and "f" * 40 not in page.body
    step.check(page.status == 200 and genuine, "forged identity headers were overwritten with the certificate's own")


def _decide(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "判定说明理由 · a decision says why",
        "read allowed, write denied, another domain denied: each with its policy or what is missing",
    ) as step:
        security = stage.player(SECURITY)
        asked = (
            ("budget:read", "fin-budget", True),
            ("budget:write", "fin-budget", False),
            ("document:write", "office-docs", False),
        )
        for action, system, expected in asked:
            answer = security.act("decide", CIVIL_SERVANT, action, system)
            told = f"{action} on {system}: {'allow' if answer['allowed'] else 'deny'}: {answer['explanation']}"
            step.check(answer["allowed"] is expected, f"{told} {answer.get('ask') or ''}")
