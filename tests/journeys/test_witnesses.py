"""Two installations witness each other: two stores, two tokens, two services; and neither falls for a fork."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx2
import pytest

from core.clock import SystemClock
from core.ledger import checkpoint, merkle
from core.ledger.checkpoint import Checkpoint
from core.ledger.entry import JsonValue
from core.ledger.proof import Submission
from deploy import settings as site_settings
from deploy import signer, vouching, wiring
from deploy.client import Answer, items
from deploy.vouching import WITNESS_KEY
from deploy.wiring import CHECKPOINT_KEY
from hsm.client import SignerClient
from hsm.settings import HsmSettings
from hsm.signer import TokenCheckpointSigner
from tests.services import postgres, site
from tests.services.site import Site

pytestmark = pytest.mark.timeout(900)

ORIGINS = ("evidence.beichen.example", "evidence.nanling.example")


@pytest.fixture(scope="module")
def pair(postgres_cluster: postgres.Cluster) -> Iterator[tuple[Site, Site]]:
    """Two served sites, on SQLite and on PostgreSQL, each set up as the other's witness."""
    with site.made() as one, site.made(postgres_cluster.create()) as other:
        both, keys = (one, other), []
        for place, origin in zip(both, ORIGINS, strict=True):
            settings = place.state / "guosuo.toml"
            settings.write_text(settings.read_text().replace("guosuo.example/evidence", origin))
            keys.append(keys_of(place))
        for place, neighbour, (log, witness) in ((one, other, keys[1]), (other, one, keys[0])):
            befriend(place, neighbour, log=log, key=witness)
            place.serve()
            for person in ("he-sysadmin", "wei-auditor"):
                player = place.player(person)
                files = ["--csr", str(player.make_request()), "--out", str(player.certificate)]
                place.bootstrap().act("role", "appoint", person, site.ADMINISTRATORS[person], *files)
                player.log_in(place.url, place.trusted)
        yield both


def keys_of(place: Site) -> tuple[str, str]:
    """Return the verifier keys of a site's log and of its witness, as its token has them."""
    settings = site_settings.load(place.state, {})
    child = signer.start(settings)
    signer.await_start(settings, child)
    keys, database = wiring.signer(settings), wiring.store(settings)
    try:
        witness = vouching.witness(settings, database, keys, SystemClock())
        return str(wiring.ledger_place(settings, keys).key), str(witness.key())
    finally:
        keys.close()
        database.close()
        child.stop()


def befriend(place: Site, other: Site, *, log: str, key: str) -> None:
    """Let ``place`` witness the other's log, and be witnessed by it."""
    url = f"http://127.0.0.1:{other.status_port}/witness"
    (place.state / "witness.policy").write_text(f"witness neighbour {key} {url}\nquorum neighbour\n")
    with (place.state / "guosuo.toml").open("a") as settings:
        settings.write(f'\n[witness]\nlogs = ["{log}"]\npolicy = "witness.policy"\nevery_seconds = 1\n')


def listed(place: Site) -> Answer:
    with place.player("he-sysadmin").client() as client:
        return client.get("/api/v1/evidence/witness")


def found(place: Site, kind: str) -> Sequence[Mapping[str, JsonValue]]:
    with place.player("wei-auditor").client() as client:
        return items(client.get("/api/v1/evidence", type=kind))


def stir(place: Site) -> None:
    """Let the log grow."""
    with place.player("wei-auditor").client() as client:
        client.get("/api/v1/identity")


def awaited(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.3)


def followed(place: Site) -> tuple[int, str]:
    (witness,) = items(listed(place), "witnesses")
    return int(str(witness["size"])), str(witness["error"])


def test_each_has_the_others_word(pair: tuple[Site, Site], tmp_path: Path) -> None:
    for place, other, origin in ((pair[0], pair[1], ORIGINS[0]), (pair[1], pair[0], ORIGINS[1])):
        awaited(lambda place=place: followed(place)[0] > 0)  # type: ignore[misc]
        player = place.player("he-sysadmin")
        assert player.run("evidence", "witness", "run").returncode == 0
        note = place.state / "ledger" / "checkpoint.cosigned"
        size = checkpoint.parse_checkpoint(note.read_bytes()).size
        policy = tmp_path / f"{origin}.policy"
        told = listed(place)
        policy.write_text(f"log {told['log']}\n{(place.state / 'witness.policy').read_text()}")
        done = player.run("evidence", "policy", str(policy), "--checkpoint", str(note), "--json")
        assert json.loads(done.stdout)["cosigned by"] == ["neighbour"], done.stderr
        seen = items(listed(other), "logs")
        assert [(row["origin"], int(str(row["size"])) >= size) for row in seen] == [(origin, True)]
        # A record proved with the neighbour's word, checked offline.
        auditor, proof = place.player("wei-auditor"), tmp_path / f"{origin}.tlog-proof"
        assert auditor.run("evidence", "prove", "3", "--out", str(proof)).returncode == 0
        checked = auditor.run("evidence", "check-proof", str(proof), "--policy", str(policy), "--json")
        assert json.loads(checked.stdout)["cosigned by"] == ["neighbour"], checked.stderr
        # The neighbour keeps it on record, so each log is anchored in the other.
        assert found(other, "ledger.witness.advanced")[0]["object"] == f"log:{origin}"


def test_a_fork_by_the_holder_of_the_key_is_refused_and_on_record(pair: tuple[Site, Site]) -> None:
    """Same origin, same key in the same token, another history: 409 at the same size, 422 beyond it."""
    forked, witness = pair
    awaited(lambda: followed(forked)[0] > 0)
    (row,) = items(listed(witness), "logs")
    keys = SignerClient(HsmSettings(state=forked.state).socket)
    holder = TokenCheckpointSigner(keys, CHECKPOINT_KEY)
    size = int(str(row["size"]))
    leaves = [merkle.leaf_hash(f"another history {number}".encode()) for number in range(size + 9)]

    def submit(old: int, count: int) -> httpx2.Response:
        note = checkpoint.sign_checkpoint(Checkpoint(ORIGINS[0], count, merkle.root_hash(leaves[:count])), holder)
        proof = merkle.consistency_proof(leaves[:count], old) if old < count else []
        body = Submission(old, tuple(proof), note).encode()
        return httpx2.post(f"http://127.0.0.1:{witness.status_port}/witness/add-checkpoint", content=body)

    refused: list[int] = []
    for _ in range(20):
        (row,) = items(listed(witness), "logs")
        size = int(str(row["size"]))
        same = submit(size, size)
        assert (same.status_code, same.headers["content-type"]) == (409, "text/x.tlog.size")
        beyond = submit(size, size + 5)
        refused = [same.status_code, beyond.status_code]
        # The real log may have grown in between; then the size that we were told is the old one.
        if beyond.status_code == 422:
            break
    keys.close()
    assert refused == [409, 422]
    told = [(row["object"], row["result"]) for row in found(witness, "ledger.witness.refused")]
    assert told[:2] == [(f"log:{ORIGINS[0]}", "refused")] * 2
    reasons = {str(one["reason"]) for one in items(listed(witness), "refused")}
    assert reasons == {"same-size-other-tree", "no-proof-of-growth"}
    # The honest log is still followed.
    before = followed(forked)[0]
    stir(forked)
    awaited(lambda: followed(forked)[0] > before or followed(forked)[1] != "")
    assert followed(forked)[1] == ""


def test_a_witness_that_is_gone_is_seen_by_the_doctor(pair: tuple[Site, Site]) -> None:
    place, gone = pair
    awaited(lambda: followed(place)[0] > 0)
    assert gone.stop() == 0
    stir(place)
    awaited(lambda: "does not answer" in followed(place)[1])
    done = place.player("he-sysadmin").run("doctor", "--site", str(place.state), "--json")
    failing = {row["part"]: row["found"] for row in json.loads(done.stdout) if not row["ok"]}
    assert done.returncode == 1
    assert "does not answer" in failing["job ledger.witness.submit"]
    assert "does not answer" in failing[f"witness {ORIGINS[1]}/witness"]
    gone.serve()
    awaited(lambda: followed(place)[1] == "")


def test_keys_of_their_own(pair: tuple[Site, Site]) -> None:
    for place in pair:
        with place.player("he-sysadmin").client() as client:
            keys = {key["label"]: key for key in items(client.get("/api/v1/key"))}
        assert keys[WITNESS_KEY]["purpose"] == "witness"
        assert keys[WITNESS_KEY]["spki_sha256"] != keys[CHECKPOINT_KEY]["spki_sha256"]
