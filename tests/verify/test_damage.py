"""Every change of a bundle is refused, and the record is named."""

import base64
import json
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.ledger import tiles
from core.ledger.checkpoint import Checkpoint, VerifierKey, sign_checkpoint
from core.ledger.tiles import TileTree
from tests.core.ledger.keys import MemoryCheckpointSigner
from tests.core.ledger.logs import ORIGIN
from tests.verify import bundles
from tests.verify.bundles import Members
from tests.verify.conftest import Sound

Records = list[bytes]


def records_of(members: Members) -> Records:
    names = sorted(name for name in members if name.startswith("tile/entries/"))
    return [record for name in names for record in tiles.parse_bundle(members[name])]


def repacked(members: Members, records: Records) -> Members:
    """Put records back under the same names, as somebody would who can only rewrite the zip."""
    changed = dict(members)
    names = sorted(name for name in members if name.startswith("tile/entries/"))
    for index, name in enumerate(names):
        end = None if index == len(names) - 1 else (index + 1) * 256
        changed[name] = b"".join(len(one).to_bytes(2, "big") + one for one in records[index * 256 : end])
    return changed


def rebuilt(members: Members, records: Records) -> Members:
    """Make every tile and the manifest anew from other records; only what is signed stays as it is."""
    tree = TileTree()
    for record in records:
        tree.append(record)
    kept = {name: content for name, content in members.items() if not name.startswith("tile/")}
    return with_manifest({**kept, **tree.take_complete(), **tree.incomplete()})


def with_manifest(members: Members) -> Members:
    manifest = json.loads(members["manifest.json"])
    manifest["members"] = {
        name: sha256(content).hexdigest() for name, content in members.items() if name != "manifest.json"
    }
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    return {**members, "manifest.json": text.encode()}


def resigned(records: Records, signer: MemoryCheckpointSigner, history: Members) -> Members:
    """Make a whole log anew and sign it, as a holder of a key could."""
    tree = TileTree()
    for record in records:
        tree.append(record)
    note = sign_checkpoint(Checkpoint(ORIGIN, tree.size, tree.root()), signer)
    key = str(VerifierKey(ORIGIN, signer.public_key())).encode()
    manifest = {"v": 1, "origin": ORIGIN, "size": tree.size, "root": tree.root().hex(), "members": {}}
    return with_manifest(
        {
            "README.md": b"read me",
            "verifier-key": key,
            "checkpoint": note,
            **history,
            f"checkpoints/{tree.size}": note,
            **tree.take_complete(),
            **tree.incomplete(),
            "manifest.json": json.dumps(manifest).encode(),
        }
    )


def id_of(record: bytes) -> str:
    return str(json.loads(record)["id"])


def verdict(folder: Path, members: Members, fingerprint: str, known: bytes | None = None) -> dict[str, list[str]]:
    report = bundles.verify(bundles.write(folder / "damaged.zip", members), fingerprint, known)
    found = bundles.failures(report)
    assert report.ok == (not found)
    return found


def test_the_sound_bundle_holds(sound: Sound, wide: Sound) -> None:
    for one in (sound, wide):
        report = bundles.verify(one.path, one.fingerprint)
        assert bundles.failures(report) == {}
        assert report.ok


def test_the_fingerprint_is_the_hash_of_the_key_text(sound: Sound) -> None:
    assert sha256(sound.members["verifier-key"]).hexdigest() == sound.fingerprint


@pytest.mark.parametrize("number", [0, 7, 255, 256, 511, 612])
def test_a_changed_record_is_named(wide: Sound, tmp_path: Path, number: int) -> None:
    records = records_of(wide.members)
    original = records[number]
    records[number] = original.replace(b'"result":"done"', b'"result":"dona"').replace(b"refused", b"refuses")
    assert records[number] != original
    found = verdict(tmp_path, repacked(wide.members, records), wide.fingerprint)
    assert found["records"][0].startswith(f"record {number} (id {id_of(original)}) was changed")
    assert found["root"]


@pytest.mark.parametrize("number", [0, 7, 254, 255, 256, 600])
def test_a_dropped_record_is_named(wide: Sound, tmp_path: Path, number: int) -> None:
    records = records_of(wide.members)
    after = id_of(records[number + 1])
    del records[number]
    found = verdict(tmp_path, repacked(wide.members, records), wide.fingerprint)
    assert found["records"][0].startswith(f"record {number} (id {after}) stands in the place of a record that was")


@pytest.mark.parametrize("number", [0, 7, 254, 256, 600])
def test_reordered_records_are_named(wide: Sound, tmp_path: Path, number: int) -> None:
    records = records_of(wide.members)
    records[number], records[number + 1] = records[number + 1], records[number]
    found = verdict(tmp_path, repacked(wide.members, records), wide.fingerprint)
    assert f"record {number} (id {id_of(records[number])}) and the one after it" in found["records"][0]


@pytest.mark.parametrize("number", [0, 7, 254, 256, 600])
def test_an_added_record_is_named(wide: Sound, tmp_path: Path, number: int) -> None:
    records = records_of(wide.members)
    added = records[3].replace(b'"id":"', b'"id":"00', 1)
    records.insert(number, added)
    found = verdict(tmp_path, repacked(wide.members, records), wide.fingerprint)
    assert re.match(rf"record {number} \(id .*\) was added", found["records"][0])


def test_an_appended_record_is_named(wide: Sound, tmp_path: Path) -> None:
    records = records_of(wide.members)
    size = len(records)
    found = verdict(tmp_path, repacked(wide.members, [*records, records[0]]), wide.fingerprint)
    assert found["records"][0].startswith(f"record {size} (id {id_of(records[0])}) was added")
    assert f"record {size} (id {id_of(records[0])}" in found["ids"][0]


@pytest.mark.parametrize("cut", [1, 5, 90])
def test_a_cut_tail_is_named(wide: Sound, tmp_path: Path, cut: int) -> None:
    records = records_of(wide.members)
    size = len(records)
    found = verdict(tmp_path, repacked(wide.members, records[:-cut]), wide.fingerprint)
    wide_ = len(records[512:])
    told = f"record {size - cut} and what follows it in its bundle is missing: {wide_ - cut} of {wide_} are there"
    assert found["records"] == [f"{told}, the tail was cut"]
    assert found["end"]


def test_two_changes_are_both_named(wide: Sound, tmp_path: Path) -> None:
    records = records_of(wide.members)
    for number in (3, 300):
        records[number] = records[number].replace(b'"v":1', b'"v":2')
    told = verdict(tmp_path, repacked(wide.members, records), wide.fingerprint)["records"]
    assert {fault.split(" ")[1] for fault in told} == {"3", "300"}


def test_rewritten_tiles_are_narrowed_down_by_what_was_signed_before(wide: Sound, tmp_path: Path) -> None:
    records = records_of(wide.members)
    number = 333
    records[number] = records[number].replace(b'"action":"read"', b'"action":"look"')
    found = verdict(tmp_path, rebuilt(wide.members, records), wide.fingerprint)
    assert set(found) == {"root", "history"}
    sizes = sorted(int(name.split("/")[1]) for name in wide.members if name.startswith("checkpoints/"))
    before = max(size for size in sizes if size <= number)
    after = min(size for size in sizes if size > number)
    place = f"record {before} (id {id_of(records[before])}) to record {after - 1} (id {id_of(records[after - 1])})"
    assert place in found["root"][0]
    assert found["history"][0].startswith(f"`checkpoints/{after}` was signed for other records")


def test_a_swapped_checkpoint_is_noticed(wide: Sound, tmp_path: Path) -> None:
    older = {**wide.members, "checkpoint": wide.members["checkpoints/40"]}
    found = verdict(tmp_path, with_manifest(older), wide.fingerprint)
    assert "members" in found
    assert "end" in found


def test_going_back_to_an_earlier_checkpoint_altogether_lacks_the_export(wide: Sound, tmp_path: Path) -> None:
    """Everything is consistent with what was signed at 40 records, but no export ended there."""
    past = {name: wide.members[name] for name in wide.members if name in ("checkpoints/5", "checkpoints/40")}
    base = {**{n: wide.members[n] for n in ("README.md", "verifier-key")}, "checkpoint": past["checkpoints/40"], **past}
    signed = story_root(wide.members["checkpoints/40"])
    manifest = {"v": 1, "origin": ORIGIN, "size": 40, "root": signed, "members": {}}
    base["manifest.json"] = json.dumps(manifest).encode()
    found = verdict(tmp_path, rebuilt(base, records_of(wide.members)[:40]), wide.fingerprint)
    assert found == {"end": ["record 39, the last that was signed, is not there as the record of this export"]}
    kept = wide.members["checkpoint"]
    found = verdict(tmp_path, rebuilt(base, records_of(wide.members)[:40]), wide.fingerprint, known=kept)
    assert "record 622 or one before it is not there" in found["known"][0]


def story_root(note: bytes) -> str:
    return base64.b64decode(note.split(b"\n")[2]).hex()


def test_a_replaced_root_is_noticed(sound: Sound, tmp_path: Path) -> None:
    lines = sound.members["checkpoint"].split(b"\n")
    lines[2] = b"A" * 43 + b"="
    found = verdict(tmp_path, with_manifest({**sound.members, "checkpoint": b"\n".join(lines)}), sound.fingerprint)
    assert found == {"checkpoint": ["the checkpoint: its signature does not verify"]}


def test_a_replaced_key_is_noticed_though_everything_else_fits(sound: Sound, tmp_path: Path) -> None:
    other = MemoryCheckpointSigner(b"another")
    found = verdict(tmp_path, resigned(records_of(sound.members), other, {}), sound.fingerprint)
    assert list(found) == ["fingerprint"]
    assert "another key than the one you know" in found["fingerprint"][0]


def test_the_holder_of_the_key_cannot_rewrite_what_an_auditor_kept(sound: Sound, tmp_path: Path) -> None:
    records = records_of(sound.members)
    records[8] = records[8].replace(b"zhao-min", b"zhao-mao")
    forged = resigned(records, MemoryCheckpointSigner(), {})
    assert verdict(tmp_path, forged, sound.fingerprint) == {}
    found = verdict(tmp_path, forged, sound.fingerprint, known=sound.members["checkpoint"])
    assert list(found) == ["known"]


def test_the_checkpoint_kept_from_an_earlier_bundle_holds(sound: Sound) -> None:
    for name in ("checkpoints/5", "checkpoint"):
        assert bundles.verify(sound.path, sound.fingerprint, known=sound.members[name]).ok


@pytest.mark.parametrize("kept", [b"", b"nonsense\n", b"\xff\n\n\xe2\x80\x94 a b\n"])
def test_an_unreadable_kept_checkpoint_is_told(sound: Sound, kept: bytes) -> None:
    report = bundles.verify(sound.path, sound.fingerprint, known=kept)
    assert list(bundles.failures(report)) == ["known"]


def flipped_tile(members: Members) -> Members:
    name = "tile/1/000.p/2"
    return {**members, name: bytes(64)}


def missing_tile(members: Members) -> Members:
    return {name: content for name, content in members.items() if name != "tile/0/001"}


def foreign_history(members: Members) -> Members:
    return {**members, "checkpoints/41": members["checkpoints/40"]}


def lost_history(members: Members) -> Members:
    return {name: content for name, content in members.items() if not name.startswith("checkpoints/")}


def longer_history(members: Members) -> Members:
    tree = TileTree()
    for record in [*records_of(members), b"{}"]:
        tree.append(record)
    note = sign_checkpoint(Checkpoint(ORIGIN, tree.size, tree.root()), MemoryCheckpointSigner())
    return {**members, f"checkpoints/{tree.size}": note}


def other_wide_tile(members: Members) -> Members:
    return {**members, "tile/0/000.p/3": members["tile/0/000"][:96]}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (flipped_tile, "tiles"),
        (missing_tile, "tiles"),
        (foreign_history, "history"),
        (lost_history, "history"),
        (longer_history, "history"),
        (other_wide_tile, "members"),
    ],
)
def test_other_damage(wide: Sound, tmp_path: Path, change: Callable[[Members], Members], name: str) -> None:
    found = verdict(tmp_path, with_manifest(change(wide.members)), wide.fingerprint)
    assert name in found


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_single_changed_octet_passes(sound: Sound, tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(sound.members)))
    content = bytearray(sound.members[name])
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    found = verdict(tmp_path, {**sound.members, name: bytes(content)}, sound.fingerprint)
    assert found, f"{name} at {place}"
    if name.startswith("tile/entries/"):
        assert "record" in found["records"][0]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_cut_or_longer_member_passes(sound: Sound, tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(sound.members)))
    content = sound.members[name]
    cut = data.draw(st.integers(0, len(content) - 1))
    other = data.draw(st.sampled_from([content[:cut], content + b"\0", content + b"\n", content + content]))
    assert verdict(tmp_path, {**sound.members, name: other}, sound.fingerprint)


def test_a_missing_member_of_any_kind_is_refused(wide: Sound, tmp_path: Path) -> None:
    for name in ("verifier-key", "checkpoint", "manifest.json", "README.md", "tile/entries/000", "tile/1/000.p/2"):
        members = {other: content for other, content in wide.members.items() if other != name}
        found = verdict(tmp_path, members, wide.fingerprint)
        assert any(name in fault for faults in found.values() for fault in faults), name
