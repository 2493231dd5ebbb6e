"""Night: the auditor takes the evidence home and believes nobody. The auditor's program runs without a network."""

import base64
import io
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from deploy.rehearsal.stage import Stage
from deploy.rehearsal.step import Journal
from deploy.rehearsal.trust import AUDITOR

BUNDLE = "evidence.zip"

Files = dict[str, bytes]

#: What a complaint must name.
_NAMED = re.compile(r"\brecords? |checkpoint")


def play(stage: Stage) -> None:
    """Run the scene."""
    with stage.journal.step("导出证据 · export the evidence", "one bundle and one fingerprint", vital=True) as step:
        done = stage.player(AUDITOR).run("evidence", "export", str(stage.out / BUNDLE))
        step.check(done.returncode == 0, done.stdout.strip() or done.stderr.strip())
        stage.notes["fingerprint"] = done.stdout.split("--fingerprint", 1)[-1].strip()
    _verify(stage, stage.journal)
    _damage(stage, stage.journal)


def verify(bundle: Path, fingerprint: str) -> subprocess.CompletedProcess[str]:
    """Run the auditor's program in a network namespace of its own, where nothing can be asked."""
    command = ["unshare", "--net", sys.executable, "-m", "guosuo_verify", str(bundle), "--fingerprint", fingerprint]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ), timeout=120)


def _verify(stage: Stage, journal: Journal) -> None:
    with journal.step("离线核验 · verify offline", "guosuo-verify accepts the bundle with its one fingerprint") as step:
        done = verify(stage.out / BUNDLE, stage.notes["fingerprint"])
        step.check(done.returncode == 0, f"exit {done.returncode}")
        for line in done.stdout.splitlines():
            if line.strip():
                step.note(line.strip()[:200])


def _damage(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "任何改动均被发现 · notice every change",
        "a changed, dropped, reordered or added record, a cut tail, swapped checkpoints and a replaced root are named",
    ) as step:
        for name, change in CHANGES.items():
            path = stage.work / "damaged.zip"
            damage(stage.out / BUNDLE, path, change)
            done = verify(path, stage.notes["fingerprint"])
            told = [line for line in done.stdout.splitlines() if "FAIL" in line and _NAMED.search(line)]
            step.check(
                done.returncode == 1 and bool(told), f"{name}: {told[0].strip()[:160] if told else done.stdout[-200:]}"
            )


def damage(source: Path, target: Path, change: Callable[[Files], Files]) -> None:
    """Copy a bundle with its members changed, as somebody who can rewrite the zip would."""
    with zipfile.ZipFile(source) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in change(members).items():
            archive.writestr(name, content)


def unpack(bundle: bytes) -> list[bytes]:
    """Split an entry bundle into its records (two octets of length before each, C2SP tlog-tiles)."""
    stream, records = io.BytesIO(bundle), []
    while head := stream.read(2):
        records.append(stream.read(int.from_bytes(head, "big")))
    return records


def _repack(records: list[bytes], names: list[str]) -> Files:
    """Put records back 256 to a bundle; what is too many goes into the last bundle, what is missing leaves it short."""
    packed: Files = {}
    for index, name in enumerate(names):
        last = index == len(names) - 1
        part = records[index * 256 :] if last else records[index * 256 : (index + 1) * 256]
        packed[name] = b"".join(len(record).to_bytes(2, "big") + record for record in part)
    return packed


def _records(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Files], Files]:
    """Make a change of the records one of the bundle's members."""

    def changed(members: Files) -> Files:
        names = sorted(name for name in members if name.startswith("tile/entries/"))
        records = change([record for name in names for record in unpack(members[name])])
        return {**members, **_repack(records, names)}

    return changed


def _changed(records: list[bytes]) -> list[bytes]:
    middle = len(records) // 2
    altered = records[middle].replace(b'"result":"done"', b'"result":"dono"', 1)
    return [
        *records[:middle],
        altered if altered != records[middle] else b"x" + records[middle][1:],
        *records[middle + 1 :],
    ]


def _reordered(records: list[bytes]) -> list[bytes]:
    return [*records[:4], records[5], records[4], *records[6:]]


def _swapped(members: Files) -> Files:
    """Exchange the first two checkpoints that were signed."""
    first, second = sorted((n for n in members if n.startswith("checkpoints/")), key=lambda n: int(n.split("/")[1]))[:2]
    return {**members, first: members[second], second: members[first]}


def _rooted(members: Files) -> Files:
    """Put another root into the checkpoint, and leave its signature."""
    origin, size, root, *rest = members["checkpoint"].split(b"\n")
    other = base64.b64encode(sha256(root).digest())
    return {**members, "checkpoint": b"\n".join([origin, size, other, *rest])}


CHANGES: dict[str, Callable[[Files], Files]] = {
    "changed byte": _records(_changed),
    "dropped record": _records(lambda records: [*records[:7], *records[8:]]),
    "reordered records": _records(_reordered),
    "added record": _records(lambda records: [*records[:9], records[3].replace(b'"v":1', b'"v":1 '), *records[9:]]),
    "cut tail": _records(lambda records: records[:-5]),
    "swapped checkpoints": _swapped,
    "replaced root": _rooted,
}
