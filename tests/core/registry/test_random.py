"""Random valid provinces are entered, entered again without any change, and then are what the register says."""

from hypothesis import HealthCheck, given, settings

from core.database import Database
from core.registry import change, history, loader
from tests.clock import ManualClock
from tests.core.registry.test_faults import provinces


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=provinces())
def test_entered_twice_is_entered_once(sqlite_database: Database, clock: ManualClock, text: str) -> None:
    province = loader.parse_province(text)
    with sqlite_database.read() as session:
        # Thrown away at the end: every example begins with an empty register.
        assert not change.apply(session, province, actor="test", at=clock.now()).is_empty
        again = change.apply(session, loader.parse_province(text), actor="test", at=clock.now())
        assert again.is_empty
        assert again.missing == ()
        said = sorted(history.whole(session, clock.now()).entries(), key=repr)
        assert said == sorted(province.entries(), key=repr)
