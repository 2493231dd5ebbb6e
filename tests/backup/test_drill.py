"""A drill proves a restore, from outside and in isolation; and that its own checks can fail."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backup import run, sandbox
from backup.errors import BadIdentity, DrillFailed
from backup.examine import flip
from backup.mirror import Mirror
from backup.repository import Repository
from backup.restore import sealed_points
from backup.verdict import DrillOutcome
from core.errors import NotFound
from deploy import recovery
from tests.backup.realm import Realm, made
from tests.services.softhsm import Running

CHECKS = {
    "isolation",
    "restore",
    "counts",
    "evidence root",
    "evidence goes on",
    "keys",
    "revocations",
    "revocation list of root",
    "revocation list of issuing",
    "revoked on a list",
    "OCSP revoked",
    "OCSP good",
    "OCSP unknown",
    "control: damaged point",
    "control: damaged content",
    "control: damaged evidence",
}


def drill(repository: Repository, realm: Realm, folder: Path, *, point: str = "") -> DrillOutcome:
    return recovery.drill(
        repository=repository.path, identity=realm.identity, point=point, report=folder / "out" / "drill.html"
    )


@pytest.fixture
def copy(lasting: Realm, tmp_path: Path) -> Iterator[Repository]:
    shutil.copytree(lasting.repository.path, tmp_path / "copy")
    return Repository(tmp_path / "copy")


def test_a_drill_proves_the_point(realm: Realm, tmp_path: Path) -> None:
    serial = realm.issue()
    point = realm.point()
    realm.issue("zhao-ra")
    realm.revoke(serial)
    realm.pki.publisher.refresh()
    realm.sequence()
    assert not realm.repository.is_proven(point.id, point.sha256)
    outcome = drill(realm.repository, realm, tmp_path)
    assert {check["name"] for check in outcome["checks"]} == CHECKS
    assert [check for check in outcome["checks"] if not check["ok"]] == []
    assert (outcome["ok"], outcome["verdict"], outcome["point"]) == (True, "passed", point.id)
    assert 0 < outcome["rto_seconds"] < 60
    assert outcome["rpo_seconds"] == 0
    assert realm.repository.is_proven(point.id, point.sha256)
    page = Path(outcome["report"]).read_text(encoding="utf-8")
    assert all(
        word in page for word in ("恢复演练报告", "recovery drill", "通过 passed", point.sha256, "evidence root")
    )
    assert "http" not in page.split("</style>")[1]
    # Nothing of it was written into the repository but the proof.
    assert Mirror(realm.repository.evidence).size == int(_detail(outcome, "evidence goes on").split(" ")[2])


def _detail(outcome: DrillOutcome, name: str) -> str:
    return next(check["detail"] for check in outcome["checks"] if check["name"] == name)


def test_a_damaged_copy_fails_and_takes_the_proof_away(lasting: Realm, copy: Repository, tmp_path: Path) -> None:
    assert drill(copy, lasting, tmp_path)["verdict"] == "passed"
    [point] = sealed_points(Mirror(copy.evidence))
    assert copy.is_proven(point.id, point.sha256)
    flip(copy.point(point.id))
    outcome = drill(copy, lasting, tmp_path)
    assert (outcome["ok"], outcome["verdict"]) == (False, "failed")
    assert "is not the file that was sealed" in _detail(outcome, "restore")
    assert "未通过" in Path(outcome["report"]).read_text(encoding="utf-8")
    assert not copy.is_proven(point.id, point.sha256)


def test_a_changed_record_in_the_mirror_fails(lasting: Realm, copy: Repository, tmp_path: Path) -> None:
    flip(Mirror(copy.evidence).bundle(0))
    outcome = drill(copy, lasting, tmp_path)
    assert (outcome["verdict"], outcome["checks"][1]["name"]) == ("failed", "restore")
    [point] = sealed_points(Mirror(lasting.repository.evidence))
    assert json.loads(copy.proof(point.id).read_bytes())["ok"] is False


def test_what_says_nothing_about_the_archive_is_an_error(lasting: Realm, copy: Repository, tmp_path: Path) -> None:
    [point] = sealed_points(Mirror(copy.evidence))
    copy.record_proof(point.id, {"ok": True, "sha256": point.sha256})
    outcome = drill(copy, lasting, tmp_path, point="20260101T000000Z-00000000")
    assert (outcome["ok"], outcome["verdict"]) == (False, "error")
    assert "no recovery point" in outcome["checks"][0]["detail"]
    assert "无结论" in Path(outcome["report"]).read_text(encoding="utf-8")
    # A drill without a verdict neither proves nor takes a proof away.
    assert copy.is_proven(point.id, point.sha256)


def test_a_wrong_identity_is_an_error(lasting: Realm, copy: Repository, tmp_path: Path) -> None:
    from backup.identity import make_identity

    make_identity(tmp_path / "other.age")
    outcome = recovery.drill(
        repository=copy.path, identity=tmp_path / "other.age", point="", report=tmp_path / "drill.html"
    )
    assert outcome["verdict"] == "error"
    assert "was not encrypted to this recovery identity" in outcome["checks"][0]["detail"]


def test_what_is_named_wrongly_is_refused_at_once(lasting: Realm, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no repository"):
        drill(Repository(tmp_path / "nowhere"), lasting, tmp_path)
    (tmp_path / "bad.age").write_text("nothing")
    with pytest.raises(BadIdentity):
        recovery.drill(
            repository=lasting.repository.path, identity=tmp_path / "bad.age", point="", report=tmp_path / "d.html"
        )


def test_a_proof_of_another_file_proves_nothing(lasting: Realm, copy: Repository) -> None:
    [point] = sealed_points(Mirror(copy.evidence))
    for content in (b"", b"[]", b"null", b'{"ok": true}', b'{"ok": 1, "sha256": "%s"}' % point.sha256.encode()):
        copy.proof(point.id).write_bytes(content)
        assert not copy.is_proven(point.id, point.sha256)
    copy.record_proof(point.id, {"ok": True, "sha256": "0" * 64})
    assert not copy.is_proven(point.id, point.sha256)


PROBE = """
import socket, sys, json, os
from pathlib import Path
from backup import sandbox
seen = {"out": sandbox.ways_out(), "uid": os.getuid(), "secret": Path(sys.argv[2]).exists()}
for name, address in {"production": ("127.0.0.1", int(sys.argv[1])), "world": ("192.0.2.1", 80)}.items():
    try:
        socket.create_connection(address, timeout=2)
        seen[name] = "reached"
    except OSError as error:
        seen[name] = type(error).__name__
try:
    Path("/repository/mark").write_text("x")
    seen["repository"] = "written"
except OSError as error:
    seen["repository"] = type(error).__name__
Path("/drill/seen.json").write_text(json.dumps(seen))
"""


def _probe(lasting: Realm, work: Path, port: int) -> dict[str, object]:
    work.mkdir()
    sandbox.run(
        ["-c", PROBE, str(port), str(lasting.state)],
        repository=lasting.repository.path,
        identity=lasting.identity,
        work=work,
        timeout=60,
    )
    return dict(json.loads((work / "seen.json").read_text()))


def test_nothing_leads_out_of_the_sandbox(lasting: Realm, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as production:
        port = production.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        seen = _probe(lasting, tmp_path / "work", port)
    assert seen == {
        "out": [],
        "uid": 1000,
        "secret": False,
        "production": "ConnectionRefusedError",
        "world": "OSError",
        "repository": "OSError",
    }


def test_a_drill_works_inside_a_laboratory(lasting: Realm, copy: Repository, tmp_path: Path) -> None:
    """As the rehearsal does it: root of a user namespace of its own."""
    unshare = ("unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child")
    script = (
        "import json, sys; from pathlib import Path; from deploy import recovery; "
        "print(json.dumps(recovery.drill(repository=Path(sys.argv[1]), identity=Path(sys.argv[2]), point='', "
        "report=Path(sys.argv[3]))))"
    )
    arguments = (str(copy.path), str(lasting.identity), str(tmp_path / "d.html"))
    inside = [*unshare, "--mount-proc", sys.executable, "-c", script, *arguments]
    done = subprocess.run(inside, capture_output=True, text=True, check=True)
    outcome = json.loads(done.stdout)
    assert [check for check in outcome["checks"] if not check["ok"]] == []
    assert outcome["verdict"] == "passed"


def test_a_drill_that_breaks_off_says_so(lasting: Realm, tmp_path: Path) -> None:
    tmp_path.joinpath("work").mkdir()
    options = {"repository": lasting.repository.path, "identity": lasting.identity, "work": tmp_path / "work"}
    with pytest.raises(DrillFailed, match=r"broke off.*boom"):
        sandbox.run(["-c", "raise SystemExit('boom')"], **options, timeout=60)  # type: ignore[arg-type]
    with pytest.raises(DrillFailed, match="did not end within"):
        sandbox.run(["-c", "import time; time.sleep(60)"], **options, timeout=1)  # type: ignore[arg-type]


def test_a_token_without_its_key_fails(tmp_path: Path, fresh_signer: Running) -> None:
    """The inventory names a key that the token lost before the point was made: the archive is at fault."""
    with made(tmp_path, fresh_signer) as realm:
        objects = [path for path in (realm.state / "tokens").rglob("*.object") if path.name != "token.object"]
        kept = {path: path.read_bytes() for path in objects}
        for path in objects:
            path.write_bytes(b"")
        realm.backup().make(actor="tang-recovery")
        for path, content in kept.items():
            path.write_bytes(content)
        realm.sequence()
        outcome = drill(realm.repository, realm, tmp_path)
        assert (outcome["verdict"], outcome["ok"]) == ("failed", False)
        assert "keys" in [check["name"] for check in outcome["checks"] if not check["ok"]]


def test_points_say_whether_they_are_proven(lasting: Realm) -> None:
    with lasting.database.read() as session:
        [point] = run.points(session)
    assert not lasting.repository.is_proven(point.id, point.sha256)
