"""Who answers for what, with nothing but the command line: an administrator leaves, it is a duty, it leaves the house.

The walk of `deploy/runbooks/leaver.md` over a served site; what goes out arrives at a real receiver.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deploy.rehearsal.player import Player
from tests.services import hook as hooks
from tests.services import site
from tests.services.hook import Hook
from tests.services.site import Site

BASIS = "北辰信任〔2026〕8号 演练样本"


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    with hooks.running() as made:
        yield made


@pytest.fixture(scope="module")
def served(hook: Hook) -> Iterator[Site]:
    """A site that posts its notices, with the three administrators, a director and three others."""
    with site.made() as made:
        secret = made.state / "secrets" / "webhook"
        secret.write_text("s" * 40)
        with (made.state / "guosuo.toml").open("a", encoding="utf-8") as file:
            file.write(f'\n[notice.webhook]\nurl = "http://127.0.0.1:{hook.port}/in"\nsecret_file = "{secret}"\n')
        made.serve()
        made.appoint()
        security = made.player("lu-security")
        for person in ("jin-director", "zhou-head", "wu-ops"):
            made.enrol(security, person)
        yield made


def await_(found: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.5)
    return value


def run(player: Player, *words: str) -> tuple[int, Any]:
    done = player.run(*words, "--json")
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else done.stderr


def test_every_way_out_answers(served: Site, hook: Hook) -> None:
    status, rows = run(served.player("he-sysadmin"), "notify", "test")
    assert (status, [(one["channel"], one["ok"], one["said"]) for one in rows]) == (
        0,
        [("webhook", True, "204 No Content")],
    )
    assert run(served.player("lu-security"), "notify", "test")[0] == 1
    assert [json.loads(body)["type"] for _, body in hook.taken].count("guosuo.test") == 1


def test_a_person_leaves_in_one_act(served: Site) -> None:
    security, leaver = served.player("lu-security"), served.player("zhou-head")
    order = ("register", "leave", "zhou-head", "--basis", BASIS)
    refused = security.run(*order, "--yes")
    assert (refused.returncode, "czt-head" in refused.stderr) == (1, True)
    assert security.run(*order, "--successor", "wu-ops").returncode == 2
    status, planned = run(security, *order, "--successor", "wu-ops", "--dry-run")
    assert (status, leaver.run("whoami").returncode) == (0, 0)
    status, done = run(security, *order, "--successor", "wu-ops", "--yes")
    assert (status, done["items"], done["left"]) == (0, planned["items"], 0)
    assert "revoked" in leaver.run("whoami").stderr
    assert run(security, "register", "holdings", "person", "zhou-head") == (0, [])
    assert run(security, "duty", "list", "--orphan") == (0, [])
    certificates = run(security, "cert", "list", "--holder", "zhou-head")[1]
    assert {one["revocation_reason"] for one in certificates} == {"affiliation-changed"}


def test_an_administrator_leaves_by_two_and_it_is_a_duty_that_leaves_the_house(served: Site, hook: Hook) -> None:
    security, director = served.player("lu-security"), served.player("jin-director")
    order = ("register", "leave", "wei-auditor", "--basis", BASIS, "--successor", "role:site/auditor=dou-public")
    status, proposed = run(security, *order, "--yes")
    assert (status, proposed["state"]) == (3, "waiting")
    (mine,) = await_(lambda: run(director, "duty", "list", "--mine")[1])
    assert (mine["object"], mine["post"]) == (f"approval:{proposed['id']}", "xxb-director")
    assert run(served.player("wu-ops"), "duty", "ack", mine["id"])[0] == 1
    status, taken = run(director, "duty", "ack", mine["id"], "--note", "催办")
    assert (status, taken["state"], taken["acknowledged_by"]) == (0, "acknowledged", "jin-director")
    assert run(director, "duty", "show", mine["id"])[1]["signature"] == taken["signature"]
    assert run(director, "status", "--mine")[1]["open"] == 1
    told = await_(lambda: [json.loads(body) for _, body in hook.taken if b"xxb-director" in body])
    assert [(one["count"], mine["id"] in "".join(one["lines"])) for one in told] == [(1, True)]
    status, done = run(served.player("he-sysadmin"), "approval", "approve", str(proposed["id"]), "--yes")
    assert (status, done["state"]) == (0, "done")
    assert "revoked" in served.player("wei-auditor").run("whoami").stderr
    await_(lambda: run(director, "duty", "list", "--mine")[1] == [])
    assert [one["state"] for one in run(served.player("he-sysadmin"), "notify", "list")[1]] == ["sent"]
