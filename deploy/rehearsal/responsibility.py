"""Late afternoon: who answers. A duty is taken up, two people act together, a person leaves; all of it traced."""

import json
from collections.abc import Mapping, Sequence

from core.ledger.entry import JsonValue
from deploy.rehearsal.leak import alerts
from deploy.rehearsal.player import complaint
from deploy.rehearsal.stage import Stage
from deploy.rehearsal.step import Journal, Step, missing
from deploy.rehearsal.trust import AUDITOR, CIVIL_SERVANT, OFFICER, SECURITY, issue

#: The operating officer of the finance department's systems, who leaves, and who follows.
LEAVER, SUCCESSOR, THEIR_POST, THEIR_SYSTEM = "wu-ops", "jiang-tax", "czt-operations", "fin-budget"

#: A second auditor.
SECOND = "gao-commander"

#: A domain whose level rises, and the officer in charge (主管) who decides on it.
RISING, IN_CHARGE = "outer-public", "zhang-hr"

_WHY = ("--reason", "演练样本", "--yes")

#: Exit status of a command after which something waits for another person.
WAITS = 3


def play(stage: Stage) -> None:
    """Run the scene."""
    journal = stage.journal
    _take_up(stage, journal)
    _agree(stage, journal)
    _raise_level(stage, journal)
    _leave(stage, journal)
    _keep(stage, journal)
    _trace(stage, journal)


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
        proposed = _propose(stage, step, "role", "replace", "auditor", "--incoming", SECOND)
        own = stage.player(SECURITY).run("approval", "approve", proposed, "--yes")
        step.check(own.returncode == 1, f"{SECURITY} approves their own: {complaint(own)}")
        done = stage.player(AUDITOR).act("approval", "approve", proposed, "--yes")
        step.check(done["state"] == "done", f"{AUDITOR} approves: {done['state']}")
        both = stage.player(SECURITY).run("role", "replace", "system-administrator", "--incoming", SECOND, *_WHY)
        step.check(both.returncode == 1, f"two offices in one hand: {complaint(both)}")


def _propose(stage: Stage, step: Step, *command: str) -> str:
    """Propose an act as the security administrator; return the proposal's id."""
    done = stage.player(SECURITY).run(*command, *_WHY, "--json")
    step.check(
        done.returncode == WAITS, f"{SECURITY}: guosuo {' '.join(command[:4])}: exit {done.returncode}, it waits"
    )
    return str(json.loads(done.stdout)["id"])


def _raise_level(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "提升安全域等级 · a domain's level rises",
        "what becomes stricter and for whom is shown first; the officer in charge decides, not the administrator alone",
    ) as step:
        issue(stage, stage.player(OFFICER), IN_CHARGE)
        order = ("register", "level", "set", RISING, "3", "--basis", "演练样本 北辰信办〔2026〕30号")
        seen = stage.player(SECURITY).act(*order, "--reason", "演练样本", "--dry-run")["consequences"]
        assert isinstance(seen, Sequence)
        for line in seen:
            step.note(str(line))
        proposed = _propose(stage, step, *order)
        done = stage.player(IN_CHARGE).act("approval", "approve", proposed, "--yes")
        step.check(done["state"] == "done", f"{IN_CHARGE} (主管) approves: {done['state']}")
        level = stage.player(AUDITOR).act("register", "show", "domain", RISING)["level"]
        step.check(level == 3, f"{RISING} is of level {level}")


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


def _keep(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "未到留存期不得清除 · nothing is purged early",
        "records younger than 180 days and those of a certificate in force stay; the clause is quoted and recorded",
    ) as step:
        auditor = stage.player(AUDITOR)
        serial = stage.notes[CIVIL_SERVANT]
        for asked in (("--before", "2099-01-01"), ("--before", "2026-01-01", "--object", f"certificate:{serial}")):
            done = auditor.run("evidence", "purge", *asked, *_WHY)
            step.check(done.returncode == 1, f"purge {' '.join(asked)[:40]}: {complaint(done)}")
        records = _items(auditor.act("evidence", "find", "--type", "access.act.refused"))
        step.check(len(records) >= 2, f"{len(records)} refusals by a rule are on record")


def _trace(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "由告警追溯 · from an alert back to everything that led there",
        "one command names the request, the certificate, who issued it, the person, and both officers as of then",
    ) as step:
        alert = next(one for one in alerts(stage) if one["person"] == CIVIL_SERVANT)
        done = stage.player(AUDITOR).run("evidence", "trace", f"alert:{alert['id']}")
        wanted = [str(alert["request_id"]), stage.notes[CIVIL_SERVANT], "李文", OFFICER, "周主政", "吴运维"]
        lacking = missing(wanted, done.stdout)
        for line in done.stdout.splitlines()[:40]:
            step.note(line)
        step.check(
            done.returncode == 0 and not lacking, f"all are named{', but ' + ', '.join(lacking) if lacking else ''}"
        )


def _who(stage: Stage, at: str) -> JsonValue:
    asked = ["--as-of", at] if at else []
    return stage.player(AUDITOR).act("register", "who", THEIR_SYSTEM, *asked)["operating"]


def _items(answer: Mapping[str, JsonValue]) -> list[Mapping[str, JsonValue]]:
    found = answer["items"]
    assert isinstance(found, Sequence)
    return [one for one in found if isinstance(one, Mapping)]


def _named(items: Sequence[Mapping[str, JsonValue]]) -> set[tuple[str, str, str]]:
    return {(str(one["kind"]), str(one["identifier"]), str(one["successor"])) for one in items}
