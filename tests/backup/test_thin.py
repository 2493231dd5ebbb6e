from pathlib import Path

from core.database import Database
from core.registry import credential
from deploy import recovery
from tests.backup.realm import lose, made


def test_back_and_forth(tmp_path: Path) -> None:
    with made(tmp_path) as realm:
        before = realm.issue()
        realm.point()
        after = realm.issue("zhao-ra")
        realm.revoke(before)
        realm.pki.publisher.refresh()
        realm.sequence()
        lose(realm)
        outcome = recovery.restore(
            repository=realm.repository.path, identity=realm.identity, point="", into=tmp_path / "new"
        )
        print(outcome)
        database = Database(f"sqlite:///{tmp_path}/new/store.sqlite3")
        with database.read() as session:
            assert credential.get(session, before).state == "revoked"
            assert credential.get(session, after).state == "good"
        database.close()
