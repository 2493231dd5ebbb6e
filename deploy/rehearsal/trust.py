"""Morning: build trust. The token, the register, three administrators, certificates, and requests that are refused."""

import subprocess
import sys
from pathlib import Path

from deploy.rehearsal import impostors, lab
from deploy.rehearsal.player import Player, complaint
from deploy.rehearsal.stage import HOST, SERVICE, SERVICE_FOR_GATEWAY, Stage
from deploy.rehearsal.step import Journal

#: Who holds which office in the sample province.
SYSTEM, SECURITY, AUDITOR = "he-sysadmin", "lu-security", "wei-auditor"
OFFICER, ANALYST, RECOVERY = "zhao-ra", "qian-analyst", "tang-recovery"
CIVIL_SERVANT, COLLEAGUE = "li-wen", "sun-yue"

PROVINCE = lab.source() / "deploy" / "province"


def play(stage: Stage) -> None:
    """Run the scene."""
    journal = stage.journal
    _found(stage, journal)
    _refuse_faulty_province(stage, journal)
    _serve(stage, journal)
    _appoint(stage, journal)
    _enrol(stage, journal)
    _refuse_requests(stage, journal)


def _found(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "在令牌中建立信任 · build trust in the token",
        "the authorities' keys are made in the token; files hold no private key but the service's own and bootstrap's",
        vital=True,
    ) as step:
        command = [sys.executable, "-m", "deploy.cli", "init", "--from", str(PROVINCE / "beichen.yaml")]
        command += ["--site", str(stage.site), "--repository", str(stage.repository)]
        command += ["--recovery-identity", str(stage.recovery_identity), "--name", "北辰省", "--listen", "0.0.0.0"]  # noqa: S104  # inside a namespace of its own
        command += ["--host", HOST, "--address", SERVICE, "--address", SERVICE_FOR_GATEWAY]
        command += ["--origin", "beichen.example/evidence"]
        for name in ("fin-budget", "office-docs"):
            command += ["--app", str(PROVINCE / "apps" / f"{name}.yaml")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        step.check(done.returncode == 0, "guosuo init made the site" if done.returncode == 0 else complaint(done))
        stage.trusted.write_bytes((stage.site / "trust.pem").read_bytes())
        mode = f"{stage.site.stat().st_mode & 0o777:04o}"
        step.check(mode == "0700", f"the state folder is {mode}")
        pins = [f"{pin.stat().st_mode & 0o777:04o}" for pin in (stage.site / "secrets").glob("*.pin")]
        step.check(pins == ["0400", "0400"], f"the PIN files are {', '.join(pins)}")
        found = private_keys(stage.site)
        step.check(found == ["bootstrap/bootstrap.key", "secrets/service.key"], f"private keys in files: {found}")
        step.note("演练样本 province 北辰省 is loaded")


#: How a private key begins in a file: in PEM, and as PKCS#8 (RFC 5958) or SEC 1 (RFC 5915) of P-256 in DER.
_KEY_BEGINNINGS = (
    b"PRIVATE KEY-----",
    bytes.fromhex("020100301306072a8648ce3d020106082a8648ce3d030107"),
    bytes.fromhex("02010104 20"),
    bytes.fromhex("020100300506032b6570"),
)


def private_keys(folder: Path) -> list[str]:
    """Return the files below ``folder`` that hold a private key in the clear; the authorities' are in the token."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [str(path.relative_to(folder)) for path in files if _holds_key(path.read_bytes())]


def _holds_key(content: bytes) -> bool:
    return any(beginning in content for beginning in _KEY_BEGINNINGS)


def _refuse_faulty_province(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "拒绝有误的登记册 · refuse a faulty register",
        "a system without a 运行 post, a domain cycle and overlapping addresses are refused with line numbers",
    ) as step:
        text = (PROVINCE / "beichen.yaml").read_text(encoding="utf-8")
        faulty = stage.work / "faulty.yaml"
        faulty.write_text(spoil(text), encoding="utf-8")
        site = stage.work / "never"
        command = [sys.executable, "-m", "deploy.cli", "init", "--from", str(faulty), "--site", str(site)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        step.check(done.returncode == 1, f"exit {done.returncode}")
        faults = [line.strip() for line in done.stderr.splitlines() if "line " in line]
        step.check(len(faults) >= 3, f"{len(faults)} faults are named: {'; '.join(faults)[:600]}")
        step.check(not site.exists(), "nothing was made")


def spoil(text: str) -> str:
    """Return the province with three faults: no 运行 post, a domain cycle, overlapping addresses."""
    spoiled = text.replace("    operating: czt-operations\n", "", 1)
    spoiled = spoiled.replace("  - id: management\n", "  - id: management\n    parent: exchange\n", 1)
    spoiled = spoiled.replace("  - id: exchange\n", "  - id: exchange\n    parent: management\n", 1)
    return spoiled.replace("10.20.0.0/16", "10.10.128.0/17", 1)


def _serve(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "启动服务 · serve", "signer, sequencer, worker and interface answer within 60 s", vital=True
    ) as step:
        stage.serve()
        step.note(f"{stage.url} answers over TLS 1.3")


def _appoint(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "任命三员 · appoint three administrators",
        "the bootstrap certificate appoints them and can do nothing else; two offices in one hand are refused; "
        "with the third appointment it ends",
        vital=True,
    ) as step:
        boot = Player("bootstrap", stage.site / "bootstrap")
        boot.log_in(stage.url, stage.trusted)
        refused = boot.run("cert", "list")
        step.check(refused.returncode == 1, f"bootstrap lists certificates: {complaint(refused)}")
        for person, role in ((AUDITOR, "auditor"), (SYSTEM, "system-administrator")):
            appoint(stage, boot, person, role)
        auditor = stage.player(AUDITOR)
        twice = boot.run(
            "role", "appoint", AUDITOR, "system-administrator",
            "--csr", str(auditor.request), "--out", str(stage.work / "never.pem"),
        )  # fmt: skip
        step.check(twice.returncode == 1, f"the auditor as system administrator: {complaint(twice)}")
        ended = appoint(stage, boot, SECURITY, "security-administrator")
        step.check(bool(ended["bootstrap_ended"]), "the third appointment ended the bootstrap certificate")
        after = boot.run("whoami")
        step.check(after.returncode == 1, f"bootstrap now: {complaint(after)}")


def appoint(stage: Stage, boot: Player, person: str, role: str) -> dict[str, object]:
    """Appoint ``person`` with their own request, and log them in."""
    player = stage.player(person)
    files = ["--csr", str(player.make_request()), "--out", str(player.certificate)]
    answer = boot.act("role", "appoint", person, role, *files)
    player.log_in(stage.url, stage.trusted)
    return dict(answer)


def _enrol(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "为人员签发证书 · enrol people",
        "the security administrator makes a registration officer, who certifies people; openssl verifies the chain",
        vital=True,
    ) as step:
        security = stage.player(SECURITY)
        for person, role in ((OFFICER, "registration-officer"), (ANALYST, "analyst"), (RECOVERY, "recovery-operator")):
            security.act("role", "assign", person, role)
        for person in (OFFICER, ANALYST, RECOVERY):
            issue(stage, security, person)
        for person in (CIVIL_SERVANT, COLLEAGUE):
            serial = issue(stage, stage.player(OFFICER), person)
            step.note(f"{person} has certificate {serial[:12]}…")
            stage.notes[person] = serial
        servant = stage.player(CIVIL_SERVANT)
        verified = subprocess.run(
            ["openssl", "verify", "-CAfile", str(stage.trusted), "-untrusted", str(servant.certificate),
             str(servant.certificate)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        step.check(verified.stdout.strip().endswith("OK"), f"openssl verify: {verified.stdout.strip()[-40:]}")
        keys = stage.player(SYSTEM).act("key", "list")["items"]
        assert isinstance(keys, list)
        safe = all(not key["extractable"] and key["sensitive"] for key in keys)
        step.check(safe, f"{len(keys)} keys in the token: EXTRACTABLE=false, SENSITIVE=true, read back")


def issue(stage: Stage, officer: Player, person: str) -> str:
    """Certify a person's own key through ``officer``, log the person in, and return the serial number."""
    player = stage.player(person)
    files = ["--csr", str(player.make_request()), "--out", str(player.certificate)]
    answer = officer.act("cert", "issue", person, *files)
    player.log_in(stage.url, stage.trusted)
    return str(answer["serial"])


def _refuse_requests(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "拒绝不合规的申请 · refuse bad requests",
        "six requests, six different reasons; no serial is used, each refusal has its record",
    ) as step:
        officer, auditor = stage.player(OFFICER), stage.player(AUDITOR)
        spare = Player(COLLEAGUE, stage.work / "people" / "spare")
        answer = officer.act(
            "cert", "issue", COLLEAGUE, "--csr", str(spare.make_request()), "--out", str(spare.certificate)
        )
        stage.player(SECURITY).act("cert", "revoke", str(answer["serial"]), "--reason", "superseded", "--yes")
        before = len(_items(auditor, "cert", "list"))
        reasons = []
        requests = impostors.bad_requests(COLLEAGUE, revoked_key=spare.key, department="人力资源和社会保障厅")
        for flaw, content in requests.items():
            path = stage.work / "bad.csr"
            path.write_bytes(content)
            done = officer.run("cert", "issue", COLLEAGUE, "--csr", str(path), "--out", str(stage.work / "never.pem"))
            reasons.append(complaint(done))
            step.check(done.returncode == 1, f"{flaw}: {reasons[-1]}")
        step.check(len(set(reasons)) == len(requests), f"{len(set(reasons))} different reasons")
        step.check(len(_items(auditor, "cert", "list")) == before, "no serial was used")
        records = _items(auditor, "evidence", "find", "--type", "pki.request.refused")
        step.check(len(records) == len(requests), f"{len(records)} records of refusal")


def _items(player: Player, *arguments: str) -> list[object]:
    found = player.act(*arguments)["items"]
    assert isinstance(found, list)
    return found


def issuing_certificate(stage: Stage) -> Path:
    """Return a file with the issuing authority's certificate alone."""
    path = stage.work / "issuing.pem"
    blocks = stage.trusted.read_text(encoding="ascii").split("-----END CERTIFICATE-----\n")
    path.write_text(blocks[1] + "-----END CERTIFICATE-----\n", encoding="ascii")
    return path
