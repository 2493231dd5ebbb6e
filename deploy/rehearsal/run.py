"""``guosuo rehearse``: preflight outside, then the whole day inside a laboratory that ends with it."""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from core.errors import NotFound
from deploy import doctor
from deploy.rehearsal import access, containment, disaster, lab, leak, proof, report, responsibility, trust
from deploy.rehearsal.printer import Printer
from deploy.rehearsal.stage import Stage
from deploy.rehearsal.step import Halted, Journal, Step

#: Columns when the output is no terminal.
_FILE_WIDTH = 160

OUTCOME = "outcome.json"
REPORT = "report.html"

#: The whole state of a rehearsal, seen from inside: a short path, because a socket's path holds 107 octets.
INSIDE = Path("/run/guosuo")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rehearsal prints with ``--json``, and its exit status."""

    content: dict[str, object]
    status: int

    def as_json(self) -> dict[str, object]:
        """Return the promised shape."""
        return self.content


def rehearse(out: Path, *, as_json: bool) -> Outcome:
    """Run the rehearsal and leave bundle and report in ``out``; everything else it made is removed again."""
    console = Console(stderr=as_json)
    lacking = doctor.missing(doctor.inspect())
    if lacking:
        for finding in lacking:
            told = f"{finding.name}: {finding.found}; cure: {finding.cure}"
            console.print(f"[red]missing[/red] {told}", highlight=False, soft_wrap=True)
        names = ", ".join(finding.name for finding in lacking)
        return Outcome({"ok": False, "steps": [], "missing": names, "bundle": "", "fingerprint": "", "report": ""}, 1)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: sys.exit(143))
    state = out / "state"
    try:
        out.mkdir(parents=True, exist_ok=True)
        _sweep(state)
        state.mkdir(mode=0o700)
    except OSError as error:
        raise NotFound(f"`{out}` cannot be written: {(error.strerror or '').lower()}", hint="give --out") from error
    (out / OUTCOME).unlink(missing_ok=True)
    try:
        status = lab.enter([sys.executable, "-m", "deploy.rehearsal.run", str(out), "json" if as_json else "people"])
    finally:
        _sweep(state)
    if not (out / OUTCOME).exists():
        return Outcome({"ok": False, "steps": [], "bundle": "", "fingerprint": "", "report": ""}, status or 1)
    content = json.loads((out / OUTCOME).read_text(encoding="utf-8"))
    if not as_json:
        _farewell(console, content)
    return Outcome(content, 0 if content["ok"] else 1)


def _sweep(state: Path) -> None:
    """Remove the state folder; what was killed with the laboratory may still be writing into it as it dies."""
    deadline = time.monotonic() + 10
    while state.exists():
        shutil.rmtree(state, ignore_errors=time.monotonic() < deadline)
        time.sleep(0.02)


def _farewell(console: Console, content: dict[str, object]) -> None:
    console.print()
    console.print("[green]all steps passed[/green]" if content["ok"] else "[red]not all steps passed[/red]")
    console.print(f"report: {content['report']}", highlight=False, soft_wrap=True)
    if content["bundle"]:
        line = f"{program('guosuo-verify')} {content['bundle']} --fingerprint {content['fingerprint']}"
        console.print(f"verify the evidence yourself: {line}", highlight=False, soft_wrap=True)
    ours = program("guosuo")
    line = f"`{ours} init --help` makes a site of your own, `{ours} serve` runs it"
    console.print(f"next: {line}", highlight=False, soft_wrap=True)


def program(name: str) -> str:
    """Return how to type one of our programs here: its name when it is on the PATH, else where it lies."""
    if shutil.which(name):
        return name
    beside = Path(sys.executable).with_name(name)
    return os.path.relpath(beside) if beside.is_relative_to(Path.cwd()) else str(beside)


def perform(out: Path, *, listener: Callable[[Step, bool], None]) -> dict[str, object]:
    """Play every scene inside the laboratory, and return the outcome."""
    journal = Journal(listener=listener, monotonic=time.monotonic)
    lab.build()
    INSIDE.mkdir()
    lab.bind(out / "state", INSIDE)
    stage = Stage(work=INSIDE, out=out, journal=journal)
    try:
        for scene in (trust, access, leak, responsibility, containment, disaster, proof):
            scene.play(stage)
    except Halted:
        # The step that failed is in the journal; what stands on it would only fail for the same reason.
        pass
    finally:
        stage.close()
    return _outcome(stage)


def _outcome(stage: Stage) -> dict[str, object]:
    fingerprint = stage.notes.get("fingerprint", "")
    bundle = str(stage.out / proof.BUNDLE) if fingerprint else ""
    page = stage.out / REPORT
    parts = [(found.name, found.found) for found in doctor.inspect()]
    report.write(page, stage.journal.steps, parts=parts, bundle=bundle, fingerprint=fingerprint)
    return {
        "ok": stage.journal.ok and bool(fingerprint),
        "steps": [step.as_json() for step in stage.journal.steps],
        "bundle": bundle,
        "fingerprint": fingerprint,
        "report": str(page),
    }


def main() -> None:
    """Run inside the laboratory as ``python -m deploy.rehearsal.run OUT json|people``."""
    out = Path(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    os.umask(0o077)
    console = Console(stderr=sys.argv[2] == "json")
    if not console.is_terminal:
        # A file has no width: wide enough for one line a row.
        console.width = _FILE_WIDTH
    outcome = perform(out, listener=Printer(console))
    (out / OUTCOME).write_text(json.dumps(outcome, ensure_ascii=False, indent=2), encoding="utf-8")
    sys.exit(0 if outcome["ok"] else 1)


if __name__ == "__main__":
    main()
