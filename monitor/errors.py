"""What can go wrong at the watched border."""

from core import errors


class BadPlan(errors.Malformed):
    """A domain cannot be turned into rules: its id, ceiling or ranges are unfit."""

    reason = "bad-plan"


class BadEve(errors.Malformed):
    """A line of EVE cannot be read."""

    reason = "bad-eve"


class SensorMismatch(errors.Forbidden):
    """A sensor reports in another sensor's name."""

    reason = "sensor-mismatch"


class RulesRefused(errors.Rejected):
    """Suricata does not accept the rules."""

    reason = "rules-refused"


class EngineUnavailable(errors.Unavailable):
    """Suricata is missing, does not start or does not answer."""

    reason = "engine-unavailable"


class NoSuchAlert(errors.NotFound):
    """There is no alert with this id."""

    reason = "no-such-alert"
