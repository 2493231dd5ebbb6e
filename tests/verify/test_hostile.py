"""Hostile bundles: a clear FAIL line, never a traceback, never a filled memory or disk."""

import json
import resource
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import guosuo_verify
from tests.verify import bundles
from tests.verify.conftest import Sound

F = "0" * 64


def told(path: Path, fingerprint: str = F) -> str:
    """Return the lines of a bundle that must be refused."""
    report = bundles.verify(path, fingerprint)
    assert not report.ok
    return "\n".join(report.lines())


def test_not_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    for content in (b"", b"PK", b"not a zip", b"PK\x05\x06", b"\0" * 100_000, b"PK\x05\x06" + b"\xff" * 18):
        path.write_bytes(content)
        assert "FAIL  bundle" in told(path)


def test_an_empty_zip(tmp_path: Path) -> None:
    assert "the member `verifier-key` is missing" in told(bundles.write(tmp_path / "bundle", {}))


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "tile/../../key",
        "tile/0/../0/000",
        "tile/entries/1",
        "tile/entries/x00/000",
        "tile/0/000.p/0",
        "tile\\0\\000",
        "checkpoints/0",
        "checkpoints/01",
        "checkpoints/٣",
        "checkpoints/1/../2",
        "VERIFIER-KEY",
        "verifier-key/",
        "tile/entries/000\n",
        "\x1b[2J",
        "a" * 60_000,
    ],
)
def test_a_foreign_name(sound: Sound, tmp_path: Path, name: str) -> None:
    path = bundles.write(tmp_path / "bundle", {**sound.members, name: b"x"})
    text = told(path, sound.fingerprint)
    assert "is not a member of a bundle" in text
    assert "\x1b" not in text
    assert len(text) < 2000


def test_a_name_cut_short_by_a_nul(sound: Sound, tmp_path: Path) -> None:
    path = bundles.write(tmp_path / "bundle", {**sound.members, "checkpoints/4@evil": b"x"})
    path.write_bytes(path.read_bytes().replace(b"checkpoints/4@evil", b"checkpoints/4\0evil"))
    assert "is not a member of a bundle" in told(path, sound.fingerprint)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_name_that_stands_twice(sound: Sound, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    with zipfile.ZipFile(path, "w") as archive:
        for name in (*sound.members, "checkpoint"):
            archive.writestr(name, sound.members[name])
    assert "`checkpoint` stands twice" in told(path, sound.fingerprint)


def test_a_bomb_that_says_its_size(sound: Sound, tmp_path: Path) -> None:
    path = bundles.write(tmp_path / "bundle", {**sound.members, "checkpoint": b"\0" * 50_000_000})
    assert "would have 50000000 octets" in told(path, sound.fingerprint)


def test_a_bomb_of_many_members(sound: Sound, tmp_path: Path) -> None:
    grown = {f"tile/entries/{number:03}": b"\0" * 16_000_000 for number in range(12)}
    path = bundles.write(tmp_path / "bundle", {**sound.members, **grown})
    assert "would grow to" in told(path, sound.fingerprint)


def test_a_bomb_that_lies_about_its_size(sound: Sound, tmp_path: Path) -> None:
    path = bundles.write(tmp_path / "bundle", {**sound.members, "checkpoint": b"\0" * 50_000_000})
    content = path.read_bytes().replace(struct.pack("<L", 50_000_000), struct.pack("<L", 100))
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "the member `checkpoint` cannot be read" in told(path, sound.fingerprint)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000


def test_a_directory_that_would_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0x7FFFFFFF, 0, 0)
    path.write_bytes(b"PK\x03\x04" + b"\0" * 100 + end)
    assert "the zip's directory has 2147483647 octets" in told(path)
    larger = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1 << 30, 1 << 30, 1 << 40, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(larger + locator + end)
    assert f"the zip's directory has {1 << 40} octets" in told(path)


def test_an_encrypted_member(sound: Sound, tmp_path: Path) -> None:
    path = bundles.write(tmp_path / "bundle", sound.members)
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02")
    content[place + 8] |= 1
    path.write_bytes(content)
    assert "is encrypted or packed in an unknown way" in told(path, sound.fingerprint)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_unknown_packing(sound: Sound, tmp_path: Path, method: int) -> None:
    path = tmp_path / "bundle"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in sound.members.items():
            archive.writestr(name, content)
    assert "is encrypted or packed in an unknown way" in told(path, sound.fingerprint)


def test_a_stored_bundle_is_as_good(sound: Sound, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in sound.members.items():
            archive.writestr(name, content)
    assert bundles.verify(path, sound.fingerprint).ok


def test_broken_contents_of_the_zip(sound: Sound, tmp_path: Path) -> None:
    path = bundles.write(tmp_path / "bundle", sound.members)
    content = path.read_bytes()
    for name in ("tile/entries/000.p/21", "manifest.json", "README.md", "verifier-key", "checkpoint"):
        place = content.index(name.encode()) + len(name) + 3
        path.write_bytes(content[:place] + b"\xff\xff\xff\xff" + content[place + 4 :])
        assert f"the member `{name}` cannot be read" in told(path, sound.fingerprint)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_octets_of_the_file_may_be_wrong(sound: Sound, tmp_path: Path, data: st.DataObject) -> None:
    """No traceback; and whatever still passes holds the very same members."""
    content = bytearray(sound.path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    path = tmp_path / "bundle"
    path.write_bytes(content)
    report = bundles.verify(path, sound.fingerprint)
    assert list(report.lines())
    if report.ok:
        assert bundles.read(path) == sound.members


BAD_RECORDS: dict[str, bytes] = {
    "empty": b"",
    "not UTF-8": b"\xff\xfe",
    "not an object": b"[]",
    "null": b"null",
    "deep": b"[" * 60_000,
    "deep object": b'{"a":' * 10_000,
    "fraction": b'{"v":1.5}',
    "exponent": b'{"v":1e999}',
    "huge number": b'{"v":' + b"9" * 50_000 + b"}",
    "not a number": b'{"v":NaN}',
    "infinity": b'{"v":-Infinity}',
    "negative nought": b'{"v":-0}',
    "key twice": b'{"v":1,"v":1}',
    "lone surrogate": b'{"v":"\\ud800"}',
    "needless escape": b'{"v":"\\u0041"}',
    "white space": b'{ "v":1}',
    "order": b'{"b":1,"a":1}',
    "order of code units": '{"\uff01":1,"\U00010000":1}'.encode(),
    "escape sequence": b'{"id":"\x1b[2J"}',
}


@pytest.mark.parametrize("name", BAD_RECORDS)
def test_a_record_that_cannot_be_read(name: str) -> None:
    with pytest.raises(guosuo_verify.Unreadable):
        guosuo_verify.parse_record(0, BAD_RECORDS[name])


GOOD: dict[str, object] = {
    "v": 1,
    "id": "0" * 32,
    "at": "2026-11-20T08:00:00.000Z",
    "type": "a.b",
    "actor": "li",
    "object": "x:1",
    "domain": "",
    "result": "done",
    "details": {"\U00010000": 1, "\uff01": '\u2028\x7f\\"/\b\n\x01', "n": 9007199254740991},
}


def encoded(value: object) -> bytes:
    return guosuo_verify.canonical(value)


def test_a_good_record_is_read() -> None:
    record = guosuo_verify.parse_record(3, encoded(GOOD))
    assert str(record) == f"record 3 (id {'0' * 32}, a.b)"


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": "1"},
        {"id": "0" * 31},
        {"id": "G" * 32},
        {"id": 7},
        {"at": "2026-11-20T08:00:00Z"},
        {"at": "2026-13-20T08:00:00.000Z"},
        {"at": "2026-11-20T08:00:00.000+08:00"},
        {"at": None},
        {"type": "nodots"},
        {"type": "A.b"},
        {"type": ["a.b"]},
        {"actor": "l" * 121},
        {"object": {"a": 1}},
        {"domain": 1},
        {"result": "maybe"},
        {"details": []},
        {"details": None},
        {"more": 1},
    ],
)
def test_a_record_of_another_shape(change: dict[str, object]) -> None:
    with pytest.raises(guosuo_verify.Unreadable):
        guosuo_verify.parse_record(0, encoded({**GOOD, **change}))


def test_a_bundle_of_countless_empty_entries(sound: Sound, tmp_path: Path) -> None:
    members = {**sound.members, "tile/entries/000.p/21": b"\0" * 16_000_000}
    text = told(bundles.write(tmp_path / "bundle", members), sound.fingerprint)
    assert "FAIL  records       record 0 (id unreadable)" in text


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"members":[],"origin":"x"}', b"[" * 100_000])
def test_a_nonsensical_manifest(sound: Sound, tmp_path: Path, content: bytes) -> None:
    path = bundles.write(tmp_path / "bundle", {**sound.members, "manifest.json": content})
    assert list(bundles.failures(bundles.verify(path, sound.fingerprint))) == ["manifest"]


def test_a_manifest_with_odd_members(sound: Sound, tmp_path: Path) -> None:
    manifest = json.loads(sound.members["manifest.json"])
    manifest["members"] = {"\U0001f4a3\x1b": [1], "checkpoint": {"a": 1}}
    path = bundles.write(tmp_path / "bundle", {**sound.members, "manifest.json": encoded(manifest)})
    assert "manifest" in bundles.failures(bundles.verify(path, sound.fingerprint))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a",
        b"a+b",
        b"a+00000000+",
        b"a+00000000+AAAA",
        b"a b+00000000+AQ==",
        b"\xff+00+AA==",
        b"+00000000+" + b"A" * 44,
        b"a" * 1000,
    ],
)
def test_a_nonsensical_key(sound: Sound, tmp_path: Path, content: bytes) -> None:
    path = bundles.write(tmp_path / "bundle", {**sound.members, "verifier-key": content})
    assert list(bundles.failures(bundles.verify(path, sound.fingerprint))) == ["fingerprint"]


NOTES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda note: b"",
    "no signature": lambda note: note.split(b"\n\n")[0],
    "no line end": lambda note: note[:-1],
    "signed twice": lambda note: note + note.rsplit(b"\n", 2)[1] + b"\n",
    "other text": lambda note: b"x" + note,
    "extension": lambda note: note.replace(b"\n\n", b"\nmore\n\n"),
    "size with nought": lambda note: note.replace(b"\n21\n", b"\n021\n"),
    "no base64": lambda note: note.replace(b"=\n\n", b"?\n\n"),
    "other dash": lambda note: note.replace("\u2014".encode(), b"-"),
    "not UTF-8": lambda note: note.replace(b"evidence", b"eviden\xffe"),
    "too long": lambda note: note + "\u2014 x AAAA\n".encode() * 3000,
}


@pytest.mark.parametrize("name", NOTES)
def test_a_nonsensical_checkpoint(sound: Sound, tmp_path: Path, name: str) -> None:
    note = NOTES[name](sound.members["checkpoint"])
    path = bundles.write(tmp_path / "bundle", {**sound.members, "checkpoint": note})
    failed = bundles.failures(bundles.verify(path, sound.fingerprint))
    assert list(failed) in (["checkpoint"], ["bundle"])


def test_a_further_signature_of_somebody_else_is_welcome(sound: Sound, tmp_path: Path) -> None:
    witness = "\u2014 witness.example AAAAAAAAAAAA\n".encode()
    key = guosuo_verify.parse_key(sound.members["verifier-key"])
    assert guosuo_verify.open_note(sound.members["checkpoint"] + witness, key).size == 21


def run(
    *arguments: str, program: str = "guosuo_verify", most: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command; with ``most`` it has so many octets of memory."""
    limited = ["prlimit", f"--as={most}"] if most else []
    return subprocess.run(
        [*limited, sys.executable, "-m", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(guosuo_verify.__file__).parent,
        env={"PATH": "/usr/bin:/bin", **environment},
    )


def test_the_command_says_what_it_found_and_exits_so(sound: Sound, tmp_path: Path) -> None:
    good = run(str(sound.path), "--fingerprint", sound.fingerprint.upper(), PYTHONIOENCODING="ascii")
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.splitlines()[-1].startswith("VERIFIED: 21 records of evidence.beichen.example/sample")
    bad = run(str(sound.path), "--fingerprint", F)
    assert bad.returncode == 1
    assert "FAIL  fingerprint" in bad.stdout
    assert bad.stdout.splitlines()[-1] == "NOT VERIFIED: 1 of 18 checks failed (fingerprint)"


def test_the_command_as_json(sound: Sound) -> None:
    done = run(str(sound.path), "--fingerprint", sound.fingerprint, "--json")
    answer = json.loads(done.stdout)
    assert (answer["ok"], answer["size"], done.returncode) == (True, 21, 0)
    assert all(check["ok"] and check["detail"] and not check["faults"] for check in answer["checks"])


def test_wrong_usage_is_told_apart_from_a_bad_bundle(sound: Sound, tmp_path: Path) -> None:
    path = str(sound.path)
    for arguments in (
        [],
        [path],
        [path, "--fingerprint", "abc"],
        [path, "--fingerprint", "g" * 64],
        [str(tmp_path / "absent"), "--fingerprint", F],
        [str(tmp_path), "--fingerprint", F],
        [path, "--fingerprint", F, "--known", str(tmp_path / "absent")],
    ):
        done = run(*arguments)
        assert done.returncode == 2, arguments
        assert done.stderr
        assert "Traceback" not in done.stderr


def test_help_teaches(sound: Sound) -> None:
    done = run("--help")
    assert done.returncode == 0
    for word in ("on paper", "--known", "exit status", "sha256sum"):
        assert word in done.stdout
    assert guosuo_verify.main(["--help"]) == 0


def test_it_is_short_and_imports_nothing_of_ours() -> None:
    text = Path(guosuo_verify.__file__).read_text(encoding="utf-8")
    assert len(text.splitlines()) < 1000
    code = (
        "import sys; before = set(sys.modules); import guosuo_verify;"
        "print(sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(guosuo_verify.__file__).parent,
    )
    ours = {"core", "hsm", "pki", "authz", "monitor", "backup", "deploy"}
    foreign = {name for name in json.loads(done.stdout.replace("'", '"')) if name not in sys.stdlib_module_names}
    assert not foreign & ours
    assert foreign <= {"guosuo_verify", "cryptography", "_cffi_backend", "cffi", "_openssl"}
