"""The sealed file: what was put in comes out, and nothing that was tampered with or made by somebody else."""

import io
import os
import tarfile
from pathlib import Path

import pyrage
import pytest
from pyrage import x25519

from backup import archive, manifest
from backup.errors import BadManifest, Damaged, PointFailed, WrongIdentity
from backup.examine import flip
from backup.manifest import LedgerCut, Manifest, Member
from core.errors import TrustError

ALICE, BOB = x25519.Identity.generate(), x25519.Identity.generate()
CONTENT = {"store.sqlite3": os.urandom(3_000_000), "secrets/user.pin": b"1234", "apps/预算.yaml": b"", "a/b/c": b"x"}


def describe(content: dict[str, bytes], **more: object) -> Manifest:
    import hashlib

    members = tuple(
        Member(path=path, size=len(data), sha256=hashlib.sha256(data).hexdigest(), mode=0o400)
        for path, data in content.items()
    )
    values = {
        "format": 1,
        "id": "20261125T080000Z-00000000",
        "at": "2026-11-25T08:00:00.000Z",
        "product": "test",
        "key": "k",
        "state": "/site",
        "store": "sqlite",
        "counts": {},
        "ledger": LedgerCut(size=0, root="0" * 64, unnumbered=0, checkpoint=""),
        "members": members,
    }
    return Manifest.model_validate({**values, **more})


def sealed(folder: Path, content: dict[str, bytes] = CONTENT) -> Path:
    for path, data in {manifest.NAME: manifest.encode(describe(content)), **content}.items():
        (folder / "in" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / path).write_bytes(data)
    target = folder / "point.age"
    sha256, size = archive.seal(folder / "in", [manifest.NAME, *content], [ALICE.to_public()], target)
    assert (sha256, size) == (archive.hash_file(target), target.stat().st_size)
    return target


def forged(folder: Path, entries: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    """Encrypt a tar that our own writer would never make."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for entry, data in entries:
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    target = folder / "forged.age"
    target.write_bytes(pyrage.encrypt(made.getvalue(), [ALICE.to_public()]))
    return target


def with_manifest(content: dict[str, bytes]) -> list[tuple[tarfile.TarInfo, bytes]]:
    first = (tarfile.TarInfo(manifest.NAME), manifest.encode(describe(content)))
    return [first, *((tarfile.TarInfo(path), data) for path, data in content.items())]


def test_comes_out_as_it_went_in(tmp_path: Path) -> None:
    file = sealed(tmp_path)
    assert b"1234" not in file.read_bytes()
    found = archive.unpack(file, ALICE, tmp_path / "out")
    assert [member.path for member in found.members] == list(CONTENT)
    for path, data in CONTENT.items():
        assert (tmp_path / "out" / path).read_bytes() == data
        assert (tmp_path / "out" / path).stat().st_mode & 0o777 == 0o400


def test_another_identity_is_told_apart_from_damage(tmp_path: Path) -> None:
    with pytest.raises(WrongIdentity, match=r"point\.age.* was not encrypted to this recovery identity"):
        archive.unpack(sealed(tmp_path), BOB, tmp_path / "out")


@pytest.mark.parametrize("where", [0, 30, 150, 400, 70_000, 1_500_000, -40, -1])
def test_one_changed_octet_is_noticed_wherever_it_is(tmp_path: Path, where: int) -> None:
    file = sealed(tmp_path)
    content = bytearray(file.read_bytes())
    content[where] ^= 1
    file.write_bytes(content)
    with pytest.raises((Damaged, WrongIdentity), match=r"point\.age"):
        archive.unpack(file, ALICE, tmp_path / "out")


@pytest.mark.parametrize("left", [0, 1, 100, 300, 65_536, 1_000_000, -65_552, -1])
def test_a_cut_tail_is_noticed_wherever_it_was_cut(tmp_path: Path, left: int) -> None:
    file = sealed(tmp_path)
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(Damaged, match=r"point\.age"):
        archive.unpack(file, ALICE, tmp_path / "out")


def test_octets_after_the_end_are_noticed(tmp_path: Path) -> None:
    file = sealed(tmp_path)
    file.write_bytes(file.read_bytes() + b"more")
    with pytest.raises(Damaged, match=r"point\.age"):
        archive.unpack(file, ALICE, tmp_path / "out")


def test_a_flip_in_the_middle_is_what_the_drill_uses(tmp_path: Path) -> None:
    file = sealed(tmp_path)
    before = file.read_bytes()
    flip(file)
    assert sum(old != new for old, new in zip(before, file.read_bytes(), strict=True)) == 1


def linked(kind: bytes, target: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo("a/b/c")
    entry.type, entry.linkname = kind, target
    return entry


FORGERIES: dict[str, tuple[list[tuple[tarfile.TarInfo, bytes]], str]] = {
    "no manifest": ([(tarfile.TarInfo("a/b/c"), b"x")], "does not begin with a manifest"),
    "empty": ([], "does not begin with a manifest"),
    "a manifest that is none": ([(tarfile.TarInfo(manifest.NAME), b"{}")], "the manifest cannot be read"),
    "a missing member": (with_manifest({"a": b"x", "b": b"y"})[:-1], "lacks `b`"),
    "a member too many": ([*with_manifest({"a": b"x"}), (tarfile.TarInfo("b"), b"y")], "holds `b`, which is not in"),
    "a member twice": ([*with_manifest({"a": b"x"}), (tarfile.TarInfo("a"), b"x")], "holds `a`, which is not in"),
    "other content": ([*with_manifest({"a": b"x"})[:1], (tarfile.TarInfo("a"), b"y")], "`a` in .* is not what"),
    "a way out": ([*with_manifest({"a": b"x"}), (tarfile.TarInfo("../evil"), b"y")], "holds `../evil`"),
    "a link": ([*with_manifest({"a/b/c": b""})[:1], (linked(tarfile.SYMTYPE, "/etc/passwd"), b"")], "holds `a/b/c`"),
    "a hard link": ([*with_manifest({"a/b/c": b""})[:1], (linked(tarfile.LNKTYPE, "x"), b"")], "holds `a/b/c`"),
    "a device": ([*with_manifest({"a/b/c": b""})[:1], (linked(tarfile.CHRTYPE, ""), b"")], "holds `a/b/c`"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_what_our_own_writer_would_never_make_is_refused(tmp_path: Path, name: str) -> None:
    entries, message = FORGERIES[name]
    with pytest.raises(TrustError, match=message) as raised:
        archive.unpack(forged(tmp_path, entries), ALICE, tmp_path / "out")
    assert isinstance(raised.value, Damaged | BadManifest)
    assert not (tmp_path / "evil").exists()


def test_what_is_no_tar_at_all_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "forged.age"
    target.write_bytes(pyrage.encrypt(os.urandom(100_000), [ALICE.to_public()]))
    with pytest.raises(Damaged, match=r"forged\.age"):
        archive.unpack(target, ALICE, tmp_path / "out")


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../a", "a/../../b", "a//b", "./a", "", "a\0b", "a\nb", "..", "x" * 300, manifest.NAME]
)
def test_a_manifest_cannot_name_a_strange_path(path: str) -> None:
    row = '{"path": %s, "size": 0, "sha256": "%s", "mode": 256}'
    import json

    text = manifest.encode(describe({})).decode().replace('"members": []', f'"members": [{row}]')
    with pytest.raises(BadManifest):
        manifest.parse((text % (json.dumps(path), "0" * 64)).encode())


def test_a_file_that_vanishes_while_it_is_packed_makes_no_point(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(PointFailed, match="cannot be read"):
        archive.seal(tmp_path, ["a", "gone"], [ALICE.to_public()], tmp_path / "point.age")


def test_a_full_disk_makes_no_point(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(os.urandom(2_000_000))
    full = Path("/dev/full")
    (tmp_path / "point.age").symlink_to(full)
    with pytest.raises(PointFailed, match="cannot be written"):
        archive.seal(tmp_path, ["a"], [ALICE.to_public()], tmp_path / "point.age")
