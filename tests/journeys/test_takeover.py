"""An old authority is taken over by the command line: its key imported while the site stands still, two people, a list.

The old one is run by ``openssl ca``; what openssl says of its certificates before is what it says after.
"""

import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.client import items
from hsm.settings import HsmSettings
from tests.pki.takeover.oldca import OldCa, import_key
from tests.services import site
from tests.services.site import Site

PLAN = ("--name", "legacy", "--key", "old-ca")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> OldCa:
    made = OldCa(tmp_path_factory.mktemp("journey") / "ca").make()
    made.issue("li-wen")
    made.revoke(made.issue("clerk-seven"), "-crl_reason", "keyCompromise")
    made.issue("nobody-here")
    made.list()
    return made


@pytest.fixture(scope="module")
def served(old: OldCa) -> Iterator[Site]:
    with site.made() as made:
        import_key(HsmSettings(state=made.state), old.folder / "ca.key", "old-ca", "aa01")
        made.serve()
        made.appoint()
        yield made


def agreed(served: Site, done: subprocess.CompletedProcess[str]) -> None:
    """The security administrator agrees to what was proposed."""
    assert done.returncode == 3, done.stdout + done.stderr
    identifier = done.stdout.split("guosuo approval approve ")[1].split()[0]
    served.player("lu-security").act("approval", "approve", identifier, "--yes")


def our_list(served: Site, old: OldCa, number: int) -> None:
    """Fetch our full list when it has a number behind this one, and leave it beside the old one."""
    url = f"http://localhost:{served.status_port}/crl/issuing-legacy/0.crl"
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                (old.folder / "ours.der").write_bytes(answer.read())
            old.run("crl", "-inform", "DER", "-in", "ours.der", "-out", "ours.pem")
            if int(old.run("crl", "-in", "ours.pem", "-noout", "-crlnumber").split("0x")[1], 16) > number:
                return
        except OSError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.3)


def verdict(old: OldCa, crl: str, file: str) -> str:
    line = ["openssl", "verify", "-CAfile", "cacert.pem", "-CRLfile", crl, "-crl_check", file]
    done = subprocess.run(line, cwd=old.folder, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).replace(crl, "LIST")


def test_an_authority_is_taken_over_and_both_run_for_a_while(served: Site, old: OldCa, tmp_path: Path) -> None:
    system, place = served.player("he-sysadmin"), str(old.folder)
    seen = system.act("takeover", "plan", place, *PLAN)
    assert seen["counts"] == {"enters": 1, "left": 1, "listed": 1}
    map_ = tmp_path / "map.csv"
    map_.write_text("what,is\nname:nobody-here,person:sun-yue\n")
    given = (place, *PLAN, "--map", str(map_), "--basis", "演练样本", "--yes")
    agreed(served, system.run("takeover", "propose", *given))
    our_list(served, old, 0x2B + 2**20)
    for file in ("li-wen-0.pem", "clerk-seven-1.pem"):
        assert verdict(old, "ours.pem", file) == verdict(old, "crl.pem", file)
    # A second run has nothing to bring: one word, and no proposal.
    again = system.run("takeover", "update", *given)
    assert (again.returncode, "nothing is new" in again.stdout) == (0, True)
    old.revoke("li-wen-0.pem")
    old.list()
    agreed(served, system.run("takeover", "update", *given))
    our_list(served, old, 0x2C + 2**20)
    assert "certificate revoked" in verdict(old, "ours.pem", "li-wen-0.pem")
    end = ("takeover", "finish", "issuing-legacy", "--number", str(0x2C), "--basis", "演练样本", "--yes")
    agreed(served, system.run(*end))
    (taken,) = items(system.act("takeover", "list"))
    assert (taken["state"], taken["number"]) == ("finished", 0x2C)
