"""The register from the command line of a served site: change sets, tables, as of, handover, levels, signatures."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.clock import SystemClock
from deploy.client import items
from deploy.rehearsal.player import Player, complaint
from tests.services import site
from tests.services.site import Site

PEOPLE = ("zhou-head", "yan-police", "zhang-hr")

CHANGES = """\
basis: 北辰信办〔2026〕11号 演练样本
add:
  devices:
    - {id: rst-app, kind: application, name: 就业应用, system: rst-service}
change:
  systems: [{id: rst-service, operating: rst-head}]
"""


@pytest.fixture(scope="module")
def served() -> Iterator[Site]:
    with site.made() as made:
        made.serve()
        made.appoint()
        officer = made.player("lu-security")
        officer.act("role", "assign", "zhao-ra", "registration-officer")
        made.enrol(officer, "zhao-ra")
        for person in PEOPLE:
            made.enrol(made.player("zhao-ra"), person)
        yield made


@pytest.fixture
def officer(served: Site) -> Player:
    return served.player("lu-security")


def refused(player: Player, *arguments: str) -> str:
    done = player.run(*arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    return complaint(done) + done.stderr


def test_a_change_set_is_shown_then_applied_and_the_past_stays(officer: Player, tmp_path: Path) -> None:
    file, before = tmp_path / "change.yaml", SystemClock().now().isoformat()
    file.write_text(CHANGES, encoding="utf-8")
    shown = officer.act("register", "diff", str(file))
    assert shown["applied"] is False
    assert shown["fields"] == {"system:rst-service": {"operating": ["rst-operations", "rst-head"]}}
    assert officer.act("register", "show", "system", "rst-service")["operating"] == "rst-operations"
    assert officer.act("register", "apply", str(file))["added"] == ["device:rst-app"]
    assert "rst-operations" in officer.run("register", "history", "system", "rst-service").stdout
    assert officer.act("register", "show", "system", "rst-service")["operating"] == "rst-head"
    assert officer.act("register", "show", "system", "rst-service", "--as-of", before)["operating"] == "rst-operations"
    devices = [one["id"] for one in items(officer.act("register", "list", "device", "--as-of", before))]
    assert "rst-app" not in devices
    assert "施就业" in str(officer.act("register", "who", "rst-service", "--as-of", before)["operating"])
    assert "in the register already" in refused(officer, "register", "apply", str(file))


def test_a_table_comes_in_and_goes_out(officer: Player, tmp_path: Path) -> None:
    table, out = tmp_path / "people.csv", tmp_path / "out.csv"
    table.write_bytes("标识,姓名,单位,安全域\nnew-clerk,新科员,bc-rst,outer-public\n".encode("gb18030"))
    assert officer.act("register", "import", str(table), "--dry-run")["added"] == ["person:new-clerk"]
    assert officer.act("register", "import", str(table))["added"] == ["person:new-clerk"]
    assert officer.run("register", "export", str(out)).returncode == 0
    assert "new-clerk,新科员" in out.read_text(encoding="utf-8-sig")
    table.write_text("id,clearance\nnew-clerk,很高\n", encoding="utf-8")
    assert "line 2: `clearance` is `很高`" in refused(officer, "register", "import", str(table))


def test_a_post_is_handed_over(officer: Player) -> None:
    order = ("register", "handover", "czt-operations", "--to", "chen-dev", "--basis", "北辰财信〔2026〕7号")
    assert officer.act(*order, "--dry-run")["done"] is False
    before = SystemClock().now().isoformat()
    assert officer.act(*order, "--yes")["outgoing"] == "wu-ops"
    assert "陈开发" in str(officer.act("register", "who", "fin-budget")["operating"])
    assert "吴运维" in str(officer.act("register", "who", "fin-budget", "--as-of", before)["operating"])
    assert "already" in refused(officer, *order, "--yes")
    assert "no post" in refused(officer, "register", "handover", "no-post", "--to", "chen-dev", "--basis", "x", "--yes")


def test_a_level_takes_the_officer_in_charge(served: Site, officer: Player) -> None:
    order = ("register", "level", "set", "outer-finance", "4", "--basis", "定级报告 演练样本")
    shown = officer.run(*order, "--dry-run").stdout
    assert "level 3 → 4" in shown
    assert "365 → 180 days" in shown
    assert "longer than 180 days in all" in shown
    assert officer.run(*order, "--yes").returncode == 3
    waiting = items(served.player("zhou-head").act("approval", "list"))
    assert served.player("zhou-head").run("approval", "approve", str(waiting[0]["id"]), "--yes").returncode == 0
    assert officer.act("register", "show", "domain", "outer-finance")["level"] == 4
    assert officer.act("register", "level", "show", "4")["level"] == 4


def test_a_level_is_not_changed_by_a_file(officer: Player, tmp_path: Path) -> None:
    file = tmp_path / "level.yaml"
    file.write_text("basis: x\nchange:\n  domains: [{id: exchange, level: 4}]\n", encoding="utf-8")
    assert "a file cannot make it 4" in refused(officer, "register", "apply", str(file))


def test_an_agreement_is_signed_by_both_sides(served: Site, officer: Player) -> None:
    assert officer.act("register", "show", "agreement", "agr-2026-017")["state"] == "draft"
    assert served.player("yan-police").act("register", "sign", "agr-2026-017", "--yes")["state"] == "draft"
    assert "holds neither" in refused(served.player("zhou-head"), "register", "sign", "agr-2026-017", "--yes")
    assert served.player("zhang-hr").act("register", "sign", "agr-2026-017", "--yes")["state"] == "signed"
    assert officer.act("register", "show", "agreement", "agr-2026-017")["state"] == "in force"


def test_an_administrator_without_the_right_changes_nothing(served: Site, tmp_path: Path) -> None:
    file = tmp_path / "change.yaml"
    file.write_text(CHANGES, encoding="utf-8")
    for name in ("he-sysadmin", "wei-auditor", "yan-police"):
        assert refused(served.player(name), "register", "apply", str(file))
