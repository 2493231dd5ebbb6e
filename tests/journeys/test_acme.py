"""The walk of a machine that fetches its certificate by itself, with the clients that people use: certbot, dehydrated.

The sample (演练样本) gives the finance domain addresses on loopback, so that its machines can be reached.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from deploy.rehearsal.player import Player
from tests.pki.acme import machine
from tests.services import nameserver
from tests.services.nameserver import Zone
from tests.services.site import PROVINCE, Site, free_port, made

HOST, ADDRESS = "fin-budget.fin.beichen.example", "127.20.0.10"


@dataclass
class Walk:
    site: Site
    zone: Zone
    officer: Player
    security: Player

    @property
    def http_port(self) -> str:
        return str(self.site.acme["http_port"])

    def key(self) -> dict[str, Any]:
        return dict(self.officer.act("acme", "key", "fin-budget"))

    def run(self, *command: str | Path) -> "subprocess.CompletedProcess[str]":
        environment = {"REQUESTS_CA_BUNDLE": str(self.site.trusted), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        listed = [str(one) for one in command]
        return subprocess.run(listed, env=environment, capture_output=True, text=True, check=False, timeout=120)

    def certbot(self, home: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        folder = self.site.folder / home
        places = ("--config-dir", folder / "etc", "--work-dir", folder / "work", "--logs-dir", folder / "log")
        standing = ("--http-01-port", self.http_port, "--http-01-address", ADDRESS)
        return self.run("/usr/bin/certbot", arguments[0], *places, "-n", *standing, *arguments[1:])

    def order(self, home: str, key: dict[str, Any], *more: str) -> "subprocess.CompletedProcess[str]":
        account = ("--agree-tos", "-m", "ops@fin.beichen.example", "--eab-kid", key["id"], "--eab-hmac-key", key["key"])
        return self.certbot(home, "certonly", "--server", key["directory"], *account, "--standalone", *more)

    def state(self, certificate: x509.Certificate) -> str:
        return str(self.officer.act("cert", "show", f"{certificate.serial_number:040x}")["state"])


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    sample = tmp_path_factory.mktemp("sample") / "beichen.yaml"
    text = (PROVINCE / "beichen.yaml").read_text(encoding="utf-8")
    sample.write_text(text.replace("addresses: [10.20.0.0/16]", "addresses: [10.20.0.0/16, 127.20.0.0/16]"))
    with nameserver.serving() as zone:
        zone.records[HOST, "A"] = [ADDRESS]
        acme = {"port": free_port(), "http_port": free_port(), "resolvers": [zone.address]}
        with made(province=sample, acme=acme) as site:
            site.serve()
            site.appoint()
            security = site.player("lu-security")
            security.act("role", "assign", "zhao-ra", "registration-officer")
            site.enrol(security, "zhao-ra")
            yield Walk(site, zone, site.player("zhao-ra"), security)


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_certbot_fetches_renews_and_revokes_until_its_account_is_closed(walk: Walk) -> None:
    key, unused = walk.key(), walk.key()
    done = walk.order("one", key, "-d", HOST)
    assert done.returncode == 0, done.stdout + done.stderr
    live = walk.site.folder / "one" / "etc" / "live" / HOST
    first = read(live / "cert.pem")
    verified = walk.run(
        "openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", HOST,
        "-CAfile", walk.site.trusted, "-untrusted", live / "chain.pem", live / "cert.pem",
    )  # fmt: skip
    assert verified.returncode == 0, verified.stderr
    renewed = walk.certbot("one", "renew", "--force-renewal", "--no-random-sleep-on-renew")
    assert renewed.returncode == 0, renewed.stdout + renewed.stderr
    second = read(live / "cert.pem")
    assert first.serial_number != second.serial_number
    assert walk.state(first) == walk.state(second) == "good"
    moved = walk.security.act("acme", "hasten", f"{second.serial_number:040x}", "--within", "1", "--yes")
    assert moved == {"holders": ["fin-budget-app"], "count": 1}
    gone = walk.certbot("one", "revoke", "--cert-name", HOST, "--reason", "superseded", "--no-delete-after-revoke")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert (walk.state(first), walk.state(second)) == ("good", "revoked")
    assert walk.officer.act("acme", "withdraw", str(unused["id"]))["state"] == "withdrawn"
    listed: Any = walk.officer.act("acme", "list", "--holder", "fin-budget-app")
    (account,) = [one for one in listed["accounts"] if one["key"] == key["id"]]
    assert walk.officer.act("acme", "close", account["id"], "--yes")["status"] == "deactivated"
    closed = walk.certbot("one", "renew", "--force-renewal", "--no-random-sleep-on-renew")
    assert closed.returncode == 1


def test_a_machine_begins_with_a_secret_over_cmp_and_renews_over_est(walk: Walk) -> None:
    """The commands of the runbook, as an officer and a machine type them."""
    folder, site = walk.site.folder, walk.site
    made = walk.officer.act("cmp", "secret", "fin-budget", "--dns-name", HOST)
    unused = walk.officer.act("cmp", "secret", "fin-budget", "--hours", "1")
    first, second = folder / "first", folder / "second"
    ec = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    for name in (first, second):
        assert walk.run("openssl", "genpkey", *ec, "-out", f"{name}.key").returncode == 0
    place = str(made["cmp"]).removeprefix("http://")
    server, _, path = place.partition("/")
    done = walk.run(
        "openssl", "cmp", "-config", "", "-cmd", "ir", "-server", server, "-path", path, "-trusted", site.trusted,
        "-ref", made["id"], "-secret", f"pass:{made['secret']}", "-newkey", f"{first}.key",
        "-subject", "/CN=fin-budget-app", "-sans", HOST, "-certout", f"{first}.pem",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    subject = ("-subj", "/CN=fin-budget-app", "-addext", f"subjectAltName=DNS:{HOST}")
    done = walk.run(
        "openssl", "req", "-new", "-key", f"{second}.key", *subject, "-outform", "DER", "-out", f"{second}.der"
    )
    assert done.returncode == 0, done.stderr
    assert walk.run("openssl", "base64", "-in", f"{second}.der", "-out", f"{second}.b64").returncode == 0
    done = walk.run(
        "curl", "-sS", "--fail", "--cacert", site.trusted, "--cert", f"{first}.pem", "--key", f"{first}.key",
        "-H", "Content-Type: application/pkcs10", "--data-binary", f"@{second}.b64", "-o", f"{second}.b64.p7",
        f"{made['est']}/simplereenroll",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert walk.run("openssl", "base64", "-d", "-in", f"{second}.b64.p7", "-out", f"{second}.p7").returncode == 0
    done = walk.run(
        "openssl", "pkcs7", "-inform", "DER", "-in", f"{second}.p7", "-print_certs", "-out", f"{second}.pem"
    )
    assert done.returncode == 0, done.stderr
    old, new = read(Path(f"{first}.pem")), read(Path(f"{second}.pem"))
    assert (old.subject, walk.state(old), walk.state(new)) == (new.subject, "good", "good")
    assert walk.officer.act("cmp", "withdraw", str(unused["id"]))["state"] == "withdrawn"
    listed: Any = walk.officer.act("cmp", "list", "--holder", "fin-budget-app")
    assert [one["state"] for one in listed["items"]] == ["used", "withdrawn"]


def test_certbot_is_refused_with_the_reason(walk: Walk) -> None:
    key, other = walk.key(), walk.key()
    wrong = walk.order("two", {**key, "key": other["key"]}, "-d", HOST)
    assert wrong.returncode == 1
    assert "the binding does not verify" in wrong.stdout + wrong.stderr
    foreign = walk.order("two", key, "-d", HOST, "-d", "docs.office.beichen.example")
    assert foreign.returncode == 1
    assert "docs.office.beichen.example" in foreign.stdout + foreign.stderr
    walk.zone.records["elsewhere.fin.beichen.example", "A"] = ["127.30.0.1"]
    outside = walk.order("two", key, "-d", "elsewhere.fin.beichen.example")
    assert outside.returncode == 1
    assert "outside the domain" in outside.stdout + outside.stderr


def test_dehydrated_fetches_over_a_folder_and_revokes(walk: Walk) -> None:
    folder, key = walk.site.folder / "dehydrated", walk.key()
    shown = folder / "shown"
    shown.mkdir(parents=True)
    (folder / "config").write_text(
        f'CA="{key["directory"]}"\nBASEDIR="{folder}"\nWELLKNOWN="{shown}"\nCHALLENGETYPE="http-01"\n'
        f'CURL_OPTS="--cacert {walk.site.trusted}"\nEAB_KID="{key["id"]}"\nEAB_HMAC_KEY="{key["key"]}"\n'
    )
    command = ("/usr/bin/dehydrated", "--config", folder / "config")
    registered = walk.run(*command, "--register", "--accept-terms")
    assert registered.returncode == 0, registered.stdout + registered.stderr

    def answer(path: str) -> machine.Answer:
        return 200, {}, (shown / path.rsplit("/", 1)[1]).read_bytes()

    with machine.web(ADDRESS, int(walk.http_port), answer):
        done = walk.run(*command, "--cron", "--domain", HOST)
    assert done.returncode == 0, done.stdout + done.stderr
    made = read(folder / "certs" / HOST / "cert.pem")
    assert walk.state(made) == "good"
    gone = walk.run(*command, "--revoke", folder / "certs" / HOST / "cert.pem")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert walk.state(made) == "revoked"
