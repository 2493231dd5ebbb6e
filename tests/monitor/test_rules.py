"""Rules and configuration: a pure function of the register, accepted by the real engine without a warning."""

import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from core.database import Database
from core.registry.level import Classification
from monitor import configuration, plan, rules, sensor
from monitor.errors import BadPlan, EngineUnavailable, RulesRefused
from monitor.rules import Boundary
from monitor.sensor import Suricata
from monitor.settings import SensorSettings
from monitor.sighting import Plan, Watched
from tests.clock import ManualClock
from tests.monitor import province
from tests.services import suricata

FINANCE = Boundary("outer-finance", Classification.INTERNAL, ("10.20.0.0/24",))
OFFICE = Boundary("inner-office", Classification.CONFIDENTIAL, ("10.10.0.0/24", "fd00:10::/64"))
VAULT = Boundary("vault", Classification.TOP_SECRET, ("10.1.0.0/24",))

SECRETS = (Classification.SECRET, Classification.CONFIDENTIAL, Classification.TOP_SECRET)

boundaries = st.builds(
    Boundary,
    st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True),
    st.sampled_from(list(Classification)),
    st.lists(st.sampled_from(["10.0.0.0/8", "10.20.0.0/24", "192.0.2.1/32", "fd00::/8"]), unique=True).map(tuple),
)
sets = st.lists(boundaries, max_size=6, unique_by=lambda one: one.domain)


def sids(text: str) -> dict[int, str]:
    """Return every rule by its id; fails when an id is there twice."""
    lines = [line for line in text.splitlines() if line.startswith("alert ")]
    found = {int(re.search(r"sid:(\d+);", line)[1]): line for line in lines}  # type: ignore[index]
    assert len(found) == len(lines)
    return found


@given(several=sets)
@settings(max_examples=60)
def test_rules_depend_on_nothing_but_the_boundaries(several: list[Boundary]) -> None:
    text = rules.render(several)
    assert text == rules.render(list(reversed(several)))
    for sid, line in sids(text).items():
        assert rules.FIRST_SID <= sid < 2**31
        assert line.isascii()
    for one in several:
        mine = [line for line in text.splitlines() if f"domain {one.domain}," in line and line.startswith("alert")]
        above = [level for level in SECRETS if level > one.ceiling]
        assert len(mine) == (len(above) * 5 * 4 * 2 if one.ranges else 0)


@given(several=sets.filter(len))
@settings(max_examples=40)
def test_a_rule_keeps_its_id_when_other_domains_come_and_go(several: list[Boundary]) -> None:
    def without_policy(line: str) -> str:
        return re.sub(r"policy [0-9a-f]{16}", "", line)

    alone = {sid: without_policy(line) for sid, line in sids(rules.render(several[:1])).items()}
    together = {sid: without_policy(line) for sid, line in sids(rules.render(several)).items()}
    assert alone.items() <= together.items()


def test_where_the_ceiling_allows_a_level_there_is_no_rule() -> None:
    text = rules.render([FINANCE, OFFICE, VAULT])
    levels = {
        domain: set(re.findall(rf"domain {domain}, level ([a-z-]+),", text))
        for domain in ("outer-finance", "inner-office", "vault")
    }
    assert levels == {
        "outer-finance": {"secret", "confidential", "top-secret"},
        "inner-office": {"top-secret"},
        "vault": set(),
    }


def test_two_domains_of_one_slot_keep_ids_apart() -> None:
    # Birthdays: among 3,000 names some fall together in a million slots.
    many = [Boundary(f"d{number}", Classification.CONFIDENTIAL, ("10.0.0.0/8",)) for number in range(3000)]
    assert len(sids(rules.render(many))) == 3000 * 40


@pytest.mark.parametrize(
    "bad",
    [
        Boundary("", Classification.PUBLIC, ()),
        Boundary('x"; sid:1;', Classification.PUBLIC, ()),
        Boundary("Outer", Classification.PUBLIC, ()),
        Boundary("a\n", Classification.PUBLIC, ()),
        Boundary("outer", Classification.PUBLIC, ("10.0.0.0/8] any -> any any (sid:1;)",)),
        Boundary("outer", Classification.PUBLIC, ("10.20.0.1/24",)),
        Boundary("outer", Classification.PUBLIC, ("any",)),
    ],
)
def test_unfit_domains_make_no_rule(bad: Boundary) -> None:
    with pytest.raises(BadPlan):
        rules.render([FINANCE, bad])


def test_a_domain_named_twice_is_refused() -> None:
    with pytest.raises(BadPlan, match="twice"):
        rules.render([FINANCE, FINANCE])


def test_policy_changes_with_everything_that_rules_are_made_of() -> None:
    changed = [
        [FINANCE],
        [FINANCE, OFFICE],
        [Boundary(FINANCE.domain, Classification.SECRET, FINANCE.ranges)],
        [Boundary(FINANCE.domain, FINANCE.ceiling, ("10.20.0.0/16",))],
        [Boundary("outer-other", FINANCE.ceiling, FINANCE.ranges)],
    ]
    assert len({rules.policy_version(one) for one in changed}) == len(changed)
    assert rules.policy_version([FINANCE, OFFICE]) == rules.policy_version([OFFICE, FINANCE])


def test_the_engine_accepts_the_rules(tmp_path: Path, sqlite_database: Database, clock: ManualClock) -> None:
    province.load(sqlite_database, clock.now())
    with sqlite_database.read() as session:
        wanted = plan.current(session)
    domains = {one.domain: one for one in wanted.domains}
    assert {"outer-finance", "inner-office"} <= set(domains)
    several = sensor.boundaries(wanted)
    assert wanted.policy == rules.policy_version(several)
    suricata.prepare(tmp_path, several)
    suricata.run(tmp_path, "-T")
    log = (tmp_path / configuration.LOG).read_text()
    assert "Warning" not in log, log


def test_the_plan_changes_with_the_register(sqlite_database: Database, clock: ManualClock) -> None:
    province.load(sqlite_database, clock.now())
    with sqlite_database.read() as session:
        before = plan.current(session)
        again = plan.current(session)
    province.set_ceiling(sqlite_database, "outer-finance", Classification.CONFIDENTIAL)
    with sqlite_database.read() as session:
        after = plan.current(session)
    assert before == again
    assert before.policy != after.policy


def test_configuration_has_the_musts_of_a_passive_sensor(tmp_path: Path) -> None:
    text = configuration.render(tmp_path, ["eth1", "eth2"])
    assert text.startswith("%YAML 1.1\n---\n")
    content = yaml.safe_load(text)
    assert content["stream"]["midstream"] == "yes"
    assert content["stream"]["async-oneway"] == "yes"
    assert content["security"]["lua"]["allow-rules"] == "no"
    assert [one["interface"] for one in content["af-packet"]] == ["eth1", "eth2"]
    assert len({one["cluster-id"] for one in content["af-packet"]}) == 2
    assert "pcap-log" not in text
    for place in ("default-log-dir", "classification-file", "reference-config-file", "threshold-file", "pid-file"):
        assert str(content[place]).startswith(str(tmp_path)), place


def _engine(directory: Path, **more: object) -> Suricata:
    return Suricata(SensorSettings(name="sensor-1", directory=directory, interfaces=["lo"], **more))


def _plan(*watched: Watched) -> Plan:
    return Plan(policy="x", domains=list(watched))


def test_a_refused_plan_leaves_the_old_rules(tmp_path: Path) -> None:
    engine = _engine(tmp_path)
    engine.prepare(_plan(Watched(domain="outer-finance", ceiling=1, ranges=["10.20.0.0/24"])))
    before = (tmp_path / configuration.RULES).read_text()
    with pytest.raises(BadPlan):
        engine.prepare(_plan(Watched(domain="outer-finance", ceiling=1, ranges=["nonsense"])))
    assert (tmp_path / configuration.RULES).read_text() == before
    # An engine that refuses whatever it is given.
    with pytest.raises(RulesRefused):
        _engine(tmp_path, program="false").prepare(_plan())
    assert (tmp_path / configuration.RULES).read_text() == before


def test_a_missing_engine_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="cannot test rules"):
        _engine(tmp_path, program="no-such-suricata").prepare(_plan())


def test_an_engine_that_ends_while_starting_is_told(tmp_path: Path) -> None:
    engine = Suricata(SensorSettings(name="sensor-1", directory=tmp_path, interfaces=["no-such-if0"], start_within=20))
    engine.prepare(_plan())
    begun = time.monotonic()
    with pytest.raises(EngineUnavailable, match=r"ended while starting|did not start"):
        engine.start()
    engine.stop()
    assert time.monotonic() - begun < 25


def test_a_path_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="too long"):
        _engine(tmp_path / ("x" * 120)).prepare(_plan())
