"""Late afternoon: who answers. A duty is taken up, two people act together, a person leaves; all of it traced."""

import json
from collections.abc import Mapping, Sequence

from core.ledger.entry import JsonValue
from deploy.rehearsal.player import complaint
from deploy.rehearsal.stage import Stage
from deploy.rehearsal.step import Journal, Step, missing
from deploy.rehearsal.trust import AUDITOR, CIVIL_SERVANT, OFFICER, SECURITY, issue

#: The operating officer of the finance department's systems, who leaves, and who follows.
LEAVER, SUCCESSOR, THEIR_POST, THEIR_SYSTEM = "wu-ops", "jiang-tax", "czt-operations", "fin-budget"

#: A second auditor.
SECOND = "gao-commander"

#: Exit status of a command after which something waits for another person.
WAITS = 3


def play(stage: Stage) -> None:
    """Run the scene."""
    journal = stage.journal
    _take_up(stage, journal)
    _agree(stage, journal)
    _leave(stage, journal)


def _take_up(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "告警即岗位职责 · an alert is somebody's duty",
        "each alert waits as a duty of the operating post; its holder takes one up with a signature of their own",
    ) as step:
        issue(stage, stage.player(OFFICER), LEAVER)
        officer = stage.player(LEAVER)
        waiting = _items(officer.act("duty", "list", "--mine"))
        step.check(len(waiting) >= 4, f"{len(waiting)} duties of `{THEIR_POST}` wait for {LEAVER}, one for each alert")
        taken = officer.act("duty", "ack", str(waiting[0]["id"]), "--note", "演练样本 核查中")
        step.check(taken["acknowledged_by"] == LEAVER, f"{taken['acknowledged_by']} took up: {taken['title']}")
        # A moment at which the leaver still held the post.
        stage.notes[THEIR_POST] = str(taken["acknowledged_at"])
        other = stage.player(CIVIL_SERVANT).run("duty", "ack", str(waiting[1]["id"]))
        step.check(other.returncode == 1, f"{CIVIL_SERVANT} cannot: {complaint(other)}")


def _agree(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "三员任免须两人 · an administrator comes by two people",
        "the proposer's own approval is refused, a second person's carries it out, both with their own keys",
    ) as step:
        proposed = _propose(stage, step, SECOND, "auditor")
        own = stage.player(SECURITY).run("approval", "approve", proposed, "--yes")
        step.check(own.returncode == 1, f"{SECURITY} approves their own: {complaint(own)}")
        done = stage.player(AUDITOR).act("approval", "approve", proposed, "--yes")
        step.check(done["state"] == "done", f"{AUDITOR} approves: {done['state']}")
        body = stage.work / "second-office.json"
        body.write_text(json.dumps({"role": "system-administrator", "incoming": SECOND}), encoding="utf-8")
        command = ("approval", "propose", "role.administrator.replace", "--body", str(body), "--reason", "演练样本")
        both = stage.player(SECURITY).run(*command, "--yes")
        step.check(both.returncode == 1, f"two offices in one hand: {complaint(both)}")


def _propose(stage: Stage, step: Step, person: str, role: str) -> str:
    """Propose that ``person`` becomes ``role``; return the proposal's id."""
    body = stage.work / "office.json"
    body.write_text(json.dumps({"role": role, "incoming": person}), encoding="utf-8")
    command = ("approval", "propose", "role.administrator.replace", "--body", str(body), "--reason", "演练样本")
    done = stage.player(SECURITY).run(*command, "--yes", "--json")
    step.check(done.returncode == WAITS, f"{SECURITY} proposes {person} as {role}: exit {done.returncode}, it waits")
    return str(json.loads(done.stdout)["id"])


def _leave(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "离岗一次办结 · a person leaves in one act",
        "everything held is listed first, then nothing is held; the successor answers from then on, and for before "
        "the leaver still does",
    ) as step:
        security, gone = stage.player(SECURITY), stage.player(LEAVER)
        before = stage.notes[THEIR_POST]
        without = security.run("register", "leave", LEAVER, "--basis", "演练样本 北辰财任〔2026〕9号", "--yes")
        step.check(without.returncode == 1, f"without a successor: {complaint(without)}")
        order = ("register", "leave", LEAVER, "--successor", SUCCESSOR, "--basis", "演练样本 北辰财任〔2026〕9号")
        planned = _items(security.act(*order, "--dry-run"))
        for one in planned:
            step.table.append({name: str(one[name]) for name in ("kind", "identifier", "title", "successor")})
        given = _items(security.act(*order, "--yes"))
        step.check(_named(given) == _named(planned), f"{len(given)} things given up, exactly those shown before")
        left = _items(security.act("register", "holdings", "person", LEAVER))
        step.check(not left, f"{LEAVER} holds {len(left)} things")
        refused = gone.run("duty", "list", "--mine")
        step.check(refused.returncode == 1, f"{LEAVER} now: {complaint(refused)}")
        told = {at: str(_who(stage, at)) for at in (before, "")}
        step.check(not missing(["吴运维"], told[before]), f"who operated {THEIR_SYSTEM} before: {told[before]}")
        step.check(not missing(["蒋税政"], told[""]), f"who operates it now: {told['']}")


def _who(stage: Stage, at: str) -> JsonValue:
    asked = ["--as-of", at] if at else []
    return stage.player(AUDITOR).act("register", "who", THEIR_SYSTEM, *asked)["operating"]


def _items(answer: Mapping[str, JsonValue]) -> list[Mapping[str, JsonValue]]:
    found = answer["items"]
    assert isinstance(found, Sequence)
    return [one for one in found if isinstance(one, Mapping)]


def _named(items: Sequence[Mapping[str, JsonValue]]) -> set[tuple[str, str, str]]:
    return {(str(one["kind"]), str(one["identifier"]), str(one["successor"])) for one in items}
