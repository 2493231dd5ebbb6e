"""Evidence of the border: wire names that are never renamed."""

from enum import StrEnum


class MonitorEvent(StrEnum):
    """What is recorded by this package."""

    LEAK_ATTRIBUTED = "monitor.leak.attributed"
    LEAK_FOUND = "monitor.leak.found"
    SENSOR_BLIND = "monitor.sensor.blind"
    SENSOR_SEEING = "monitor.sensor.seeing"
