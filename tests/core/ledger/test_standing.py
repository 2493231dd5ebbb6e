"""The background work of witnesses and time stamps: jobs, what they fail with, and who sees it."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from core.jobs import Job, run_due
from core.ledger import jobs
from deploy import standing, vouching
from deploy.doctor import Finding
from deploy.settings import ListenSection, RepositorySection, Settings, SiteSection, WitnessSection
from tests.clock import ManualClock
from tests.core.ledger.installation import WITNESS_KEY, Party, application, witness_of
from tests.core.ledger.installation import witnessing as witnessing_of
from tests.core.ledger.logs import Log
from tests.core.ledger.test_timestamp import stamping
from tests.core.ledger.test_witness import other  # noqa: F401  # a fixture
from tests.core.ledger.test_witnessing import cosigned, grow
from tests.services.http import serving
from tests.services.tsa import Authority

#: What a site has configured that asks both.
PERIODS = {jobs.WITNESS: timedelta(seconds=10), jobs.TIMESTAMP: timedelta(seconds=30)}


def findings(log: Log, *names: str, witnesses: Sequence[str] = ()) -> list[Finding]:
    periods = {name: PERIODS[name] for name in names}
    return standing.inspect(log.database, log.clock.now(), periods, witnesses)


def failing(log: Log, *names: str, witnesses: Sequence[str] = ()) -> dict[str, str]:
    return {one.name: one.found for one in findings(log, *names, witnesses=witnesses) if not one.ok}


def test_a_job_that_fails_is_seen_and_the_next_run_heals_it(log: Log, request: pytest.FixtureRequest) -> None:
    other_log: Log = request.getfixturevalue("other")
    size = grow(log)
    gone = jobs.witness_job(witnessing_of(log, [Party("W", WITNESS_KEY, "http://127.0.0.1:9/w")]), every=timedelta(0))
    (failure,) = run_due(log.database, [gone], log.clock, "one")
    assert failure.startswith("ledger.witness.submit: `witness.nanling.example/w1`: it does not answer")
    configured = {"witnesses": [WITNESS_KEY.name]}
    found = failing(log, jobs.WITNESS, **configured)
    assert set(found) == {"job ledger.witness.submit", f"witness {WITNESS_KEY.name}"}
    assert all("does not answer" in text for text in found.values())
    with serving(application(other_log, witness_of(other_log))) as url:
        back = witnessing_of(log, [Party("W", WITNESS_KEY, f"{url}/witness")])
        assert run_due(log.database, [jobs.witness_job(back, every=timedelta(0))], log.clock, "one") == []
    assert cosigned(log.directory) == size
    assert failing(log, jobs.WITNESS, **configured) == {}
    assert {one.name for one in findings(log, jobs.WITNESS, **configured)} == set(found)


def test_a_silent_time_stamp_authority_is_seen(log: Log, tmp_path_factory: pytest.TempPathFactory) -> None:
    grow(log)
    authority = Authority(tmp_path_factory.mktemp("tsa"))
    job = jobs.timestamp_job(stamping(log, ["http://127.0.0.1:9/"], [authority.root]))
    assert len(run_due(log.database, [job], log.clock, "one")) == 1
    assert "does not answer" in failing(log, jobs.TIMESTAMP)["job ledger.timestamp.obtain"]


def test_what_is_no_longer_configured_says_nothing(log: Log) -> None:
    grow(log)
    gone = jobs.witness_job(witnessing_of(log, [Party("W", WITNESS_KEY, "http://127.0.0.1:9/w")]), every=timedelta(0))
    run_due(log.database, [gone], log.clock, "one")
    assert set(failing(log, jobs.WITNESS, witnesses=[WITNESS_KEY.name])) == {
        f"job {jobs.WITNESS}",
        f"witness {WITNESS_KEY.name}",
    }
    assert findings(log) == []


def test_what_never_ran_is_seen(log: Log) -> None:
    found = failing(log, jobs.WITNESS, witnesses=["w.example"])
    assert found == {f"job {jobs.WITNESS}": "it never ran", "witness w.example": "it was never asked"}


def stopped() -> None:
    raise KeyboardInterrupt


def test_a_job_that_does_not_run_any_more_is_seen(log: Log, clock: ManualClock) -> None:
    job = Job(jobs.WITNESS, PERIODS[jobs.WITNESS], lambda _now: None)
    assert run_due(log.database, [job], clock, "one") == []
    clock.advance(seconds=standing.PERIODS * 10, minutes=15)
    assert failing(log, jobs.WITNESS) == {}
    clock.advance(seconds=1)
    assert failing(log, jobs.WITNESS)[f"job {jobs.WITNESS}"].startswith("it did not run since 2026-11-20T")
    assert run_due(log.database, [job], clock, "two") == []
    assert failing(log, jobs.WITNESS) == {}
    # Set back, the clock says nothing of what ran later than now.
    clock.advance(days=-1)
    assert failing(log, jobs.WITNESS) == {}


def test_a_job_that_never_gave_its_lease_back_is_seen(log: Log, clock: ManualClock) -> None:
    job = Job(jobs.WITNESS, PERIODS[jobs.WITNESS], lambda _now: stopped(), lease=timedelta(minutes=2))
    with pytest.raises(KeyboardInterrupt):
        run_due(log.database, [job], clock, "one")
    clock.advance(minutes=2)
    assert failing(log, jobs.WITNESS) == {}, "it may still be running"
    clock.advance(seconds=1)
    assert "did not end in its time" in failing(log, jobs.WITNESS)[f"job {jobs.WITNESS}"]


def test_a_trust_policy_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    site = SiteSection(name="演练样本", origin="x.example/log", store="sqlite:///s")
    repository = RepositorySection(path=tmp_path, recipients=())
    asking = WitnessSection(policy=Path("w.policy"))
    settings = Settings(state=tmp_path, site=site, listen=ListenSection(), repository=repository, witness=asking)
    for text, word in ((None, "w.policy"), ("quorum nobody\n", "nobody")):
        if text is not None:
            (tmp_path / "w.policy").write_text(text)
        names, (found,) = standing.witnesses(lambda: vouching.asked(settings))
        assert (list(names), found.name, found.ok, word in found.found) == ([], "trust policy", False, True), found
        assert found.cure
    (tmp_path / "w.policy").write_text("quorum none\n")
    assert standing.witnesses(lambda: vouching.asked(settings)) == ([], [])
