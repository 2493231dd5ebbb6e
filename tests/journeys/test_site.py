"""A site from nothing, on SQLite and on PostgreSQL, with nothing but the command line and real clients."""

import json
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import guosuo_verify
from deploy.client import items
from deploy.rehearsal.player import complaint
from tests.console.house import Forms
from tests.journeys import enrolment
from tests.services import card, postgres, site
from tests.services.site import Site


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def served(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A served site with the three administrators and a registration officer in office."""
    store = ""
    if request.param == "postgres":
        cluster: postgres.Cluster = request.getfixturevalue("postgres_cluster")
        store = cluster.create()
    with site.made(store) as made:
        made.serve()
        made.appoint()
        security = made.player("lu-security")
        security.act("role", "assign", "zhao-ra", "registration-officer")
        made.enrol(security, "zhao-ra")
        yield made


def curl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["curl", "-sS", "-m", "10", *arguments], capture_output=True, text=True, check=False)


def test_founding_again_changes_nothing(served: Site) -> None:
    before = {path.name: path.read_bytes() for path in served.state.iterdir() if path.is_file()}
    certificates = served.player("wei-auditor").act("cert", "list")["items"]
    again = Site(served.folder, served.port, served.status_port, served.store).init()
    # The token has its signer: the founding does not take it away from the site that is served.
    assert again.returncode == 1
    assert "Traceback" not in again.stderr
    after = {path.name: path.read_bytes() for path in served.state.iterdir() if path.is_file()}
    assert {name: content for name, content in after.items() if name in ("guosuo.toml", "keys.json", "trust.pem")} == {
        name: content for name, content in before.items() if name in ("guosuo.toml", "keys.json", "trust.pem")
    }
    assert served.player("wei-auditor").act("cert", "list")["items"] == certificates


def test_bootstrap_has_ended(served: Site) -> None:
    boot = site.Player("bootstrap", served.state / "bootstrap")
    done = boot.run("whoami")
    assert done.returncode == 1
    assert "nobody is logged in" in done.stderr or "revoked" in done.stderr


def test_nothing_but_liveness_is_for_everybody(served: Site) -> None:
    trusted = ["--cacert", str(served.trusted)]
    assert curl(*trusted, f"{served.url}/livez").stdout == '{"status":"alive"}'
    refused = curl("-i", *trusted, f"{served.url}/api/v1/certificate")
    assert refused.stdout.startswith("HTTP/1.1 401")
    assert "application/problem+json" in refused.stdout
    assert json.loads(refused.stdout.split("\n\n", 1)[1])["reason"] == "no-certificate"
    for path in ("/docs", "/openapi.json", "/redoc"):
        assert curl("-i", *trusted, served.url + path).stdout.startswith("HTTP/1.1 404")


def test_the_console_is_served_by_the_same_certificates(served: Site) -> None:
    officer, filer = served.player("zhao-ra"), served.player("wei-auditor")
    door, pages = served.door(), ["/console/", "/console/request?q=zhao", "/console/certificate?q=zhao&state=good"]
    for path in pages:
        seen = door.open(path, officer.identity, headers={"accept-language": "en"})
        assert (seen.status, seen.headers["content-type"]) == (200, "text/html; charset=utf-8"), seen.body
        assert "zhao-ra" in seen.body
    assert door.open("/console/", None).status == 401
    assert door.open("/console/", filer.identity).status == 200
    assert door.open("/console/request", filer.identity).status == 403


def test_a_form_of_the_console_issues_a_certificate(served: Site) -> None:
    """By curl, which keeps a cookie and says where it comes from, as a browser does."""
    officer, filer, holder = served.player("zhao-ra"), served.player("lu-security"), served.player("sun-yue")
    done = filer.run("request", "add", "sun-yue", "--csr", str(holder.make_request()), "--json")
    row = json.loads(done.stdout)
    page = f"{served.url}/console/request/{row['id']}"
    jar = str(served.folder / "cookies")
    shown = ["--cacert", str(served.trusted), "--cert", str(officer.certificate), "--key", str(officer.key)]
    kept = [*shown, "-c", jar, "-b", jar]
    form = Forms.of(curl(*kept, page).stdout)[f"/console/request/{row['id']}/approval"]
    fields = [part for name, value in form.items() for part in ("--data-urlencode", f"{name}={value}")]
    sent = [*kept, "-i", *fields, "--data", "comment=", f"{page}/approval"]
    assert curl(*sent, "-H", "Origin: https://elsewhere.example").stdout.startswith("HTTP/1.1 403")
    answer = curl(*sent, "-H", f"Origin: {served.url}").stdout
    assert answer.startswith("HTTP/1.1 303"), answer
    assert "content-security-policy: default-src 'none'" in answer
    issued = officer.act("request", "show", row["id"])
    assert issued["state"] == "issued"
    address = f"/console/certificate/{issued['serial']}"
    assert "sun-yue" in curl(*kept, served.url + address).stdout
    shown_to_who_revokes = served.door().open(address, filer.identity, headers={"accept-language": "en"}).body
    assert "If it is revoked now" in shown_to_who_revokes


def test_only_tls_1_3_is_spoken(served: Site) -> None:
    assert site.handshake(served, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    with pytest.raises(ssl.SSLError):
        site.handshake(served, ssl.TLSVersion.TLSv1_2)


def test_session_is_not_resumed(served: Site) -> None:
    identity = served.player("wei-auditor").identity
    context = served.door().context(identity)
    with served.door().connect(context) as connection:
        first = connection.get("/api/v1/identity")
    assert first.status == 200
    if first.session is not None:
        with served.door().connect(context, first.session) as connection:
            assert not connection.get("/api/v1/identity").resumed


def test_oversized_and_malformed_bodies_are_problems(served: Site, tmp_path: Path) -> None:
    officer = served.player("zhao-ra")
    own = ["--cert", str(officer.certificate), "--key", str(officer.key), "--cacert", str(served.trusted)]
    large = tmp_path / "large"
    large.write_bytes(b"x" * (9 * 1024 * 1024))
    target = f"{served.url}/api/v1/certificate"
    assert '"too-large"' in curl(*own, "--data-binary", f"@{large}", target).stdout
    assert '"malformed"' in curl(*own, "-H", "content-type: application/json", "-d", "{", target).stdout


def test_a_batch_is_issued_once(served: Site, tmp_path: Path) -> None:
    """A folder of requests, one of them for nobody: the others are issued, and asking again gives the same."""
    officer, out = served.player("zhao-ra"), tmp_path / "out"
    out.mkdir()
    for name in ("sun-yue", "chen-dev", "nobody-here"):
        (tmp_path / f"{name}.csr").write_bytes(served.player(name).make_request().read_bytes())
    command = ("cert", "request", "--batch", str(tmp_path), "--out", str(out), "--json")
    first, again = officer.run(*command), officer.run(*command)
    assert (first.returncode, again.returncode) == (1, 1)
    assert first.stderr.startswith("refused: 1 of 3 requests were refused")
    told = [{row["request"]: row for row in json.loads(one.stdout)} for one in (first, again)]
    assert {name: row["reason"] for name, row in told[0].items()} == {
        "chen-dev": "",
        "nobody-here": "not-in-register",
        "sun-yue": "",
    }
    assert [told[1][name]["serial"] for name in told[0]] == [row["serial"] for row in told[0].values()]
    assert [told[1][name]["repeated"] for name in ("sun-yue", "chen-dev")] == [True, True]
    assert sorted(path.name for path in out.iterdir()) == ["chen-dev.pem", "sun-yue.pem"]


def test_issue_revoke_and_every_status_says_so(served: Site) -> None:
    officer, security = served.player("zhao-ra"), served.player("lu-security")
    serial = served.enrol(officer, "li-wen")
    li_wen = served.player("li-wen")
    assert li_wen.act("whoami")["id"] == "li-wen"
    dry = security.run("cert", "revoke", serial)
    assert dry.returncode == 2
    assert li_wen.act("whoami")["id"] == "li-wen"
    answer = security.act("cert", "revoke", serial, "--reason", "key-compromise", "--yes")
    assert answer["published"] is True
    refused = li_wen.run("whoami")
    assert refused.returncode == 1
    assert "was revoked" in complaint(refused)
    again = security.run("cert", "revoke", serial, "--yes")
    assert again.returncode == 1
    crl = served.folder / "issuing.crl"
    url = f"http://localhost:{served.status_port}/crl/issuing/0.crl"
    assert curl("-f", "-o", str(crl), url).returncode == 0
    command = ["openssl", "crl", "-inform", "DER", "-in", str(crl), "-noout", "-text"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert serial.upper().lstrip("0") in listed.replace(":", "")


def test_hold_and_release(served: Site) -> None:
    officer, security = served.player("zhao-ra"), served.player("lu-security")
    serial = served.enrol(officer, "sun-yue")
    sun_yue = served.player("sun-yue")
    until = f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}"
    held = security.act("cert", "hold", serial, "--until", until, "--message", "演练样本", "--yes")
    assert (held["state"], bool(held["crl_numbers"])) == ("held", True)
    refused = sun_yue.run("whoami")
    assert refused.returncode == 1
    assert "is on hold" in complaint(refused)
    assert officer.run("cert", "release", serial, "--yes").returncode == 1
    released = security.act("cert", "release", serial, "--yes")
    assert (released["state"], bool(released["crl_numbers"])) == ("good", True)
    assert sun_yue.act("whoami")["id"] == "sun-yue"
    asked = curl("-f", f"http://localhost:{served.status_port}/api/v1/status/{serial}")
    assert json.loads(asked.stdout)["state"] == "good"


def test_many_are_revoked_by_one_command(served: Site) -> None:
    officer, security = served.player("zhao-ra"), served.player("lu-security")
    serials = [served.enrol(officer, "sun-yue") for _ in range(2)]
    chosen = served.folder / "serials.txt"
    chosen.write_text("\n".join([*serials, "02" * 20]) + "\n")
    planned = security.act("cert", "revoke", "--list", str(chosen), "--reason", "superseded", "--dry-run")
    assert (planned["count"], planned["needs_two"]) == (2, False)
    assert any("in no record" in line for line in planned["consequences"])  # type: ignore[union-attr]  # a list
    assert served.player("sun-yue").act("whoami")["id"] == "sun-yue"
    done = security.act("cert", "revoke", "--list", str(chosen), "--reason", "superseded", "--yes")
    assert (done["state"], done["done"]) == ("done", 2)
    assert "was revoked" in complaint(served.player("sun-yue").run("whoami"))
    again = security.run("cert", "revoke", "--list", str(chosen), "--reason", "superseded", "--yes")
    assert again.returncode == 1
    assert security.run("cert", "revoke", "--yes").returncode == 2
    assert security.run("cert", "revoke", serials[0], "--list", str(chosen), "--yes").returncode == 2


def test_people_and_machines_enrol_and_renew(served: Site, tmp_path: Path) -> None:
    enrolment.be_refused(served)
    enrolment.walk_by_curl(served, tmp_path / "curl")
    enrolment.walk_by_command(served, tmp_path / "command")


def test_a_token_is_enrolled_and_lost(served: Site, tmp_path: Path) -> None:
    made = card.make("EC:prime256v1")
    try:
        enrolment.walk_by_token(served, made, tmp_path)
    finally:
        shutil.rmtree(made.folder.parent)


def test_wrong_person_is_refused_and_on_record(served: Site) -> None:
    auditor, officer = served.player("wei-auditor"), served.player("zhao-ra")
    before = len(auditor.act("evidence", "find", "--actor", "zhao-ra", "--limit", "500")["items"])  # type: ignore[arg-type]
    refused = officer.run("backup", "run")
    assert refused.returncode == 1
    assert "may not" in complaint(refused)
    after = auditor.act("evidence", "find", "--actor", "zhao-ra", "--limit", "500")["items"]
    assert isinstance(after, list)
    assert len(after) == before + 1
    newest = after[0]
    assert isinstance(newest, dict)
    assert newest["result"] == "refused"


def test_evidence_is_exported_and_verifies(served: Site) -> None:
    bundle = served.folder / "evidence.zip"
    done = served.player("wei-auditor").run("evidence", "export", str(bundle))
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert guosuo_verify.main([str(bundle), "--fingerprint", words[words.index("--fingerprint") + 1]]) == 0


@pytest.mark.parametrize("module", ["hsm.signerd", "deploy.sequencer", "deploy.worker", "deploy.http"])
def test_killed_part_comes_back(served: Site, module: str) -> None:
    before = served.children()[module]
    site.kill(before)
    deadline = time.monotonic() + 60
    while served.children().get(module, before) == before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    served.await_answer()
    serial = _issue_when_ready(served)
    assert len(serial) == 40
    # The sequencer followed at once: it need not wait for the lease of the one that was killed.
    _await_numbers(served)


def _await_numbers(served: Site) -> None:
    """Wait until every record that is there now has its number; looking adds records of its own."""
    deadline = time.monotonic() + 8
    with served.player("wei-auditor").client() as client:
        waiting = {row["id"] for row in items(client.get("/api/v1/evidence", limit=20))}
        while waiting:
            assert time.monotonic() < deadline
            rows = items(client.get("/api/v1/evidence", limit=500))
            waiting -= {row["id"] for row in rows if row["sequence"] is not None}
            time.sleep(0.2)


def _issue_when_ready(served: Site) -> str:
    """Ask until the part that was killed works again; a refusal meanwhile is `unavailable`, never something else."""
    officer = served.player("zhao-ra")
    spare = site.Player("sun-yue", served.folder / "people" / f"spare-{time.monotonic_ns()}")
    request = spare.make_request()
    deadline = time.monotonic() + 60
    while True:
        done = officer.run("cert", "issue", "sun-yue", "--csr", str(request), "--out", str(spare.certificate), "--json")
        if done.returncode == 0:
            return str(json.loads(done.stdout)["serial"])
        assert done.returncode == 4, done.stderr
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_zz_service_ends_in_order(served: Site) -> None:
    assert served.stop() == 0
    assert served.children() == {}
    assert not (served.state / "run" / "signer.sock").exists()
    served.serve()
    assert served.player("wei-auditor").act("whoami")["id"] == "wei-auditor"


def test_anybody_has_a_hash_stamped_and_the_log_is_stamped_by_itself(served: Site, tmp_path: Path) -> None:
    """A stranger with openssl and curl; and nobody set up anything for the evidence."""
    (tmp_path / "data").write_text("演练样本\n", encoding="utf-8")
    query = ["openssl", "ts", "-query", "-data", "data", "-sha512", "-cert", "-out", "q.tsq"]
    assert subprocess.run(query, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    sent = ["-f", "-H", "Content-Type: application/timestamp-query", "--data-binary", f"@{tmp_path}/q.tsq"]
    url = f"http://localhost:{served.status_port}/tsa"
    assert curl(*sent, "-o", str(tmp_path / "r.tsr"), url).returncode == 0
    assert stamped(tmp_path / "r.tsr", tmp_path / "data", served.trusted)
    sysadmin = served.player("he-sysadmin")
    told = sysadmin.act("tsa", "status")
    assert (told["url"], told["trouble"], told["generation"]) == (url, "", "tsa-1")
    end = time.monotonic() + 60
    while not (tokens := items(sysadmin.act("evidence", "timestamp", "list"))):
        assert time.monotonic() < end
        time.sleep(0.3)
    assert {row["authority"] for row in tokens} == {url}
    size = tokens[-1]["size"]
    ledger = served.state / "ledger"
    assert stamped(ledger / "ts" / f"{size}.tsr", ledger / "checkpoints" / str(size), served.trusted)
    renewed = sysadmin.act("tsa", "renew")
    assert (renewed["generation"], renewed["open"]) == ("tsa-2", 0)
    assert served.player("wei-auditor").act("tsa", "status")["generation"] == "tsa-2"
    assert served.player("zhao-ra").run("tsa", "status").returncode == 1


def stamped(token: Path, data: Path, trusted: Path) -> bool:
    command = ["openssl", "ts", "-verify", "-in", str(token), "-data", str(data), "-CAfile", str(trusted)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
