import json
from pathlib import Path

from deploy import recovery
from tests.backup.realm import made


def test_drill(tmp_path: Path) -> None:
    with made(tmp_path) as realm:
        before = realm.issue()
        realm.point()
        realm.issue("zhao-ra")
        realm.revoke(before)
        realm.pki.publisher.refresh()
        realm.sequence()
        outcome = recovery.drill(
            repository=realm.repository.path, identity=realm.identity, point="", report=tmp_path / "drill.html"
        )
        print(json.dumps(outcome, indent=1, ensure_ascii=False))
        assert outcome["ok"]
