"""The background work of witnesses and time stamps: jobs, what they fail with, and who sees it."""

from datetime import timedelta

import pytest

from core.jobs import run_due
from core.ledger import jobs
from deploy import standing
from tests.core.ledger.installation import WITNESS_KEY, Party, application, witness_of
from tests.core.ledger.installation import witnessing as witnessing_of
from tests.core.ledger.logs import Log
from tests.core.ledger.test_timestamp import stamping
from tests.core.ledger.test_witness import other  # noqa: F401  # a fixture
from tests.core.ledger.test_witnessing import cosigned, grow
from tests.services.http import serving
from tests.services.tsa import Authority


def failing(log: Log) -> dict[str, str]:
    return {one.name: one.found for one in standing.inspect(log.database, log.clock) if not one.ok}


def test_a_job_that_fails_is_seen_and_the_next_run_heals_it(log: Log, request: pytest.FixtureRequest) -> None:
    other_log: Log = request.getfixturevalue("other")
    size = grow(log)
    gone = jobs.witness_job(witnessing_of(log, [Party("W", WITNESS_KEY, "http://127.0.0.1:9/w")]), every=timedelta(0))
    (failure,) = run_due(log.database, [gone], log.clock, "one")
    assert failure.startswith("ledger.witness.submit: `witness.nanling.example/w1`: it does not answer")
    found = failing(log)
    assert set(found) == {"job ledger.witness.submit", f"witness {WITNESS_KEY.name}"}
    assert all("does not answer" in text for text in found.values())
    with serving(application(other_log, witness_of(other_log))) as url:
        back = witnessing_of(log, [Party("W", WITNESS_KEY, f"{url}/witness")])
        assert run_due(log.database, [jobs.witness_job(back, every=timedelta(0))], log.clock, "one") == []
    assert cosigned(log.directory) == size
    assert failing(log) == {}
    assert {one.name for one in standing.inspect(log.database, log.clock)} == set(found)


def test_a_silent_time_stamp_authority_is_seen(log: Log, tmp_path_factory: pytest.TempPathFactory) -> None:
    grow(log)
    authority = Authority(tmp_path_factory.mktemp("tsa"))
    job = jobs.timestamp_job(stamping(log, ["http://127.0.0.1:9/"], [authority.root]))
    assert len(run_due(log.database, [job], log.clock, "one")) == 1
    assert "does not answer" in failing(log)["job ledger.timestamp.obtain"]
