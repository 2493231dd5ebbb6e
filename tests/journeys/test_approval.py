"""Two people and their own keys, over the real service: a key on a token, a replacement, every refusal on record."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from core import signed
from core.signed import Statement
from deploy.rehearsal.player import Player
from tests.services import card, site
from tests.services.card import Token
from tests.services.site import Site

SECURITY, SYSTEM, AUDITOR, NEXT = "lu-security", "he-sysadmin", "wei-auditor", "gao-commander"


@pytest.fixture(scope="module")
def token() -> Iterator[Token]:
    made = card.make()
    yield made
    shutil.rmtree(made.folder.parent)


@pytest.fixture(scope="module")
def served(token: Token) -> Iterator[Site]:
    """A served site; the security administrator's key was made on a token and never left it."""
    with site.made() as made:
        made.serve()
        boot = made.bootstrap()
        # Nobody is half in office: the auditor that comes after this takes a place that is still vacant.
        bad = made.folder / "bad.csr"
        bad.write_text("no request")
        files = ["--csr", str(bad), "--out", str(made.folder / "bad.pem")]
        assert boot.run("role", "appoint", NEXT, "auditor", *files).returncode == 1
        for person, role in site.ADMINISTRATORS.items():
            player = made.player(person)
            if person == SECURITY:
                player.home.mkdir(parents=True)
                done = by_card(player, token, "cert", "csr", person, "--key", token.uri(), "--out", str(player.request))
                assert done.returncode == 0, done.stderr
            else:
                player.make_request()
            files = ["--csr", str(player.request), "--out", str(player.certificate)]
            boot.act("role", "appoint", person, role, *files)
            if person != SECURITY:
                player.log_in(made.url, made.trusted)
        yield made


def by_card(player: Player, token: Token, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **token.environment, "GUOSUO_HOME": str(player.home), "COLUMNS": "200"}
    command = [sys.executable, "-m", "deploy.cli", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=120
    )


@pytest.fixture(scope="module")
def security(served: Site, token: Token) -> Player:
    player = served.player(SECURITY)
    where = ["--trust", str(served.trusted)]
    wrong = ["--cert", str(player.certificate), "--key", token.uri(pin="000000")]
    token.logins()
    refused = by_card(player, token, "login", served.url, *wrong, *where)
    assert (refused.returncode, token.logins()) == (1, 1)
    assert "tried once" in refused.stderr
    assert not (player.home / "login.json").exists()
    right = ["--cert", str(player.certificate), "--key", token.uri()]
    done = by_card(player, token, "login", served.url, *right, *where, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["roles"] == ["site:security-administrator"]
    return player


def test_certificate_and_key_both_on_the_token(served: Site, security: Player, token: Token) -> None:
    token.hold(security.certificate)
    both = ["--cert", token.uri(), "--key", token.uri(), "--trust", str(served.trusted)]
    done = by_card(security, token, "login", served.url, *both, "--json")
    assert done.returncode == 0, done.stderr
    assert by_card(security, token, "whoami", "--json").returncode == 0
    kept = json.loads((security.home / "login.json").read_text())
    assert kept["key"].startswith("pkcs11:")
    assert card.PIN not in json.dumps(kept).replace(f"pin-{card.PIN}", "")


def propose(security: Player, token: Token, *more: str) -> subprocess.CompletedProcess[str]:
    command = ("role", "replace", "auditor", "--incoming", NEXT, "--outgoing", AUDITOR, "--reason", "演练样本 轮岗")
    return by_card(security, token, *command, *more)


def security_sees_nothing(security: Player, token: Token) -> bool:
    return bool(json.loads(by_card(security, token, "approval", "list", "--json").stdout) == [])


@pytest.fixture(scope="module")
def replaced(served: Site, security: Player, token: Token) -> str:
    """The auditor is replaced; whatever else is tried comes after it, in any order. Returns when it was proposed."""
    system, auditor = served.player(SYSTEM), served.player(AUDITOR)
    asked = propose(security, token)
    assert asked.returncode == 2, "nothing is proposed without being asked"
    looked = propose(security, token, "--dry-run", "--json")
    assert (looked.returncode, json.loads(looked.stdout)["needed"]) == (0, 1)
    assert security_sees_nothing(security, token)
    proposed = propose(security, token, "--yes", "--json")
    assert proposed.returncode == 3, proposed.stderr
    told = json.loads(proposed.stdout)
    identifier = told["id"]
    assert [one["person"] for one in told["waits_for"]] == [SYSTEM]
    # The proposer, and whom it takes out of office, are refused with the rule.
    own = by_card(security, token, "approval", "approve", identifier, "--yes")
    assert own.returncode == 1
    assert "rule: own-act 不得审批本人提出的事项" in own.stderr
    concerned = auditor.run("approval", "approve", identifier, "--yes")
    assert concerned.returncode == 1
    assert "rule: concerned-person" in concerned.stderr
    waits = system.act("whoami")["waits"]
    assert isinstance(waits, list)
    assert any(identifier in str(line) for line in waits)
    assert system.run("approval", "approve", identifier).returncode == 2
    shown = system.run("approval", "show", identifier)
    assert "→" in shown.stdout
    done = system.act("approval", "approve", identifier, "--yes")
    assert done["state"] == "done"
    again = system.run("approval", "approve", identifier, "--yes")
    assert again.returncode == 1
    assert auditor.run("evidence", "find").returncode == 1
    return str(told["proposed_at"])


def test_an_administrator_is_replaced_by_two_people(served: Site, replaced: str) -> None:
    system = served.player(SYSTEM)
    held = system.act("role", "list")["items"]
    assert {(row["person"], row["role"]) for row in held} >= {(NEXT, "auditor")}
    before = system.act("role", "list", "--as-of", replaced)["items"]
    assert (AUDITOR, "auditor") in {(row["person"], row["role"]) for row in before}


@pytest.fixture(scope="module")
def new_auditor(served: Site, security: Player, token: Token, replaced: str) -> Player:
    """Log in who is auditor since ``replaced``."""
    player = served.player(NEXT)
    files = ["--csr", str(player.make_request()), "--out", str(player.certificate)]
    issued = by_card(security, token, "cert", "issue", NEXT, *files)
    assert issued.returncode == 0, issued.stderr
    player.log_in(served.url, served.trusted)
    return player


def records(auditor: Player, kind: str) -> list[dict[str, object]]:
    found = auditor.act("evidence", "find", "--type", kind)["items"]
    assert isinstance(found, list)
    return found


def test_every_refusal_is_on_record_with_its_rule(new_auditor: Player) -> None:
    refused = records(new_auditor, "access.act.refused")
    told = {(one["actor"], str(one["details"]["rule"]).split()[0], one["result"]) for one in refused}  # type: ignore[index]
    assert {(SECURITY, "own-act", "refused"), (AUDITOR, "concerned-person", "refused")} <= told


def test_both_signatures_are_checked_from_the_evidence_alone(served: Site, new_auditor: Player) -> None:
    root = x509.load_pem_x509_certificates(served.trusted.read_bytes())
    for kind, person in (("approval.proposal.made", SECURITY), ("approval.proposal.approved", SYSTEM)):
        proof = records(new_auditor, kind)[0]["details"]["signed"]  # type: ignore[index]
        said = json.loads(proof["text"])
        at = signed.parse_moment(said["at"])
        statement = Statement(said["act"], said["object"], said["digest"], said["person"], at, said["origin"])
        assert statement.text == proof["text"]
        der = base64.b64decode(proof["certificate"])
        signed.verify_act(statement, base64.b64decode(proof["signature"]), der, now=at + timedelta(seconds=1))
        assert said["person"] == person
        assert f"UID={person}" in x509.load_der_x509_certificate(der).subject.rfc4514_string()
    assert root


def test_the_auditor_annotates_and_nothing_else(new_auditor: Player, served: Site) -> None:
    record = records(new_auditor, "approval.act.carried-out")[0]
    before = dict(record)
    note = new_auditor.act("evidence", "annotate", str(record["id"]), "演练样本 已核对任免文件")
    assert note["record"] == record["id"]
    made = records(new_auditor, "ledger.record.annotated")
    assert [one["object"] for one in made] == [f"record:{record['id']}"]
    assert "演练样本" not in json.dumps(made[0]["details"], ensure_ascii=False)
    assert records(new_auditor, "approval.act.carried-out")[0] == before
    assert new_auditor.run("evidence", "annotate", "0" * 32, "nothing").returncode == 1
    assert served.player(SYSTEM).run("evidence", "annotate", str(record["id"]), "no").returncode == 1


def test_returned_corrected_rejected_withdrawn(
    served: Site, security: Player, token: Token, new_auditor: Player, tmp_path: Path
) -> None:
    command = ("role", "replace", "system-administrator", "--incoming", "chen-dev", "--reason", "演练样本", "--yes")
    proposed = by_card(security, token, *command, "--json")
    assert proposed.returncode == 3, proposed.stderr
    identifier = json.loads(proposed.stdout)["id"]
    assert new_auditor.act("approval", "return", identifier, "--reason", "写明接替谁")["state"] == "returned"
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"role": "system-administrator", "incoming": "chen-dev", "outgoing": SYSTEM}))
    again = by_card(security, token, "approval", "resubmit", identifier, "--body", str(body), "--reason", "已更正")
    assert again.returncode == 3, again.stderr
    assert "waits for another person" in again.stdout
    # Without a terminal nothing that is for good is done unasked.
    assert new_auditor.run("approval", "reject", identifier, "--reason", "不同意").returncode == 2
    assert new_auditor.act("approval", "reject", identifier, "--reason", "不同意", "--yes")["state"] == "rejected"
    proposed = by_card(security, token, *command, "--json")
    second = json.loads(proposed.stdout)["id"]
    gone = by_card(security, token, "approval", "withdraw", second, "--reason", "误提", "--yes")
    assert gone.returncode == 0, gone.stderr
    listed = new_auditor.act("approval", "list")["items"]
    assert isinstance(listed, list)
    assert {one["id"]: one["state"] for one in listed}.items() >= {identifier: "rejected", second: "withdrawn"}.items()


def test_two_of_the_three_offices_is_refused_and_recorded(security: Player, token: Token, new_auditor: Player) -> None:
    command = ("role", "replace", "security-administrator", "--incoming", NEXT, "--reason", "演练样本", "--yes")
    both = by_card(security, token, *command)
    assert both.returncode == 1
    assert "rule: three-administrators" in both.stderr
    assert any("three-administrators" in str(one["details"]) for one in records(new_auditor, "access.act.refused"))


def test_the_services_own_key_is_nobodys(served: Site) -> None:
    """Root reads every file of the state folder; none of them lets it act as a person."""
    keys = [path for path in served.state.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    assert any(path.name == "service.key" for path in keys)
    home = served.folder / "root"
    root = Player("root", home)
    certificates = [served.state / "service.pem", served.state / "bootstrap" / "bootstrap.pem"]
    for certificate in certificates:
        for key in keys:
            files = ["--cert", str(certificate), "--key", str(key), "--trust", str(served.trusted)]
            root.run("login", served.url, *files)
            for command in (("evidence", "find"), ("role", "list"), ("approval", "list"), ("cert", "list")):
                assert root.run(*command).returncode == 1
