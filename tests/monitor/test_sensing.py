"""The sensor's way to the service: real mutual TLS, a service that goes away, changed certificates, wrong people."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from sqlmodel import select

from core import errors
from core.clock import SystemClock
from core.identity import Serial, SubjectKind
from core.registry.models import Device
from deploy import login, sensing
from deploy.client import ServiceClient
from deploy.sensing import ServiceCentre
from monitor.models import Finding, Sensor
from monitor.sighting import Blind
from pki import revocation
from tests.monitor import province, service

pytestmark = pytest.mark.parametrize("stores", ["sqlite"], indirect=True, scope="session")


@pytest.fixture
def running(site: service.Site) -> Iterator[service.Service]:
    made = service.Service(service.application(site.database, SystemClock()), site.folder)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def connected(site: service.Site, running: service.Service, tmp_path: Path) -> Callable[[], ServiceClient]:
    return as_(site, running, tmp_path, "sensor-1")


def as_(site: service.Site, running: service.Service, tmp_path: Path, who: str) -> Callable[[], ServiceClient]:
    home = tmp_path / f"home-{who}"
    site.login(who, running.url, home)
    return lambda: ServiceClient(login.load(home), timeout=5)


def found(site: service.Site) -> list[str]:
    with site.database.read() as session:
        return sorted(one.sighting for one in session.exec(select(Finding)))


def test_plan_and_sightings_cross_the_wire(site: service.Site, connected: Callable[[], ServiceClient]) -> None:
    centre = ServiceCentre(connected)
    plan = centre.plan()
    assert {"outer-finance", "inner-office"} <= {one.domain for one in plan.domains}
    now = datetime.now(UTC)
    with site.database.write() as session:
        province.passed(session, 1, "li-wen", now)
    leak = province.leak(1, "li-wen", now, excerpt="…机密★10年…", path="/预算/草案")
    window = Blind(id="sensor-1:blind:1:x", sensor="sensor-1", at=now, cause="x")
    for _ in range(2):
        centre.report([leak, window])
    centre.report([])
    assert found(site) == [leak.id]
    with site.database.read() as session:
        assert session.exec(select(Finding)).one().person == "li-wen"


def test_a_service_that_went_away_and_came_back_needs_no_care(
    site: service.Site, running: service.Service, connected: Callable[[], ServiceClient]
) -> None:
    centre = ServiceCentre(connected)
    leak = province.leak(1, "li-wen", datetime.now(UTC))
    centre.report([])
    running.stop()
    for act in (centre.plan, lambda: centre.report([leak])):
        with pytest.raises(errors.Unavailable, match="does not answer"):
            act()
    running.start()
    centre.report([leak])
    assert centre.plan().domains
    assert found(site) == [leak.id]


def test_refusals_are_the_errors_they_are(
    site: service.Site, running: service.Service, connected: Callable[[], ServiceClient], tmp_path: Path
) -> None:
    centre, now = ServiceCentre(connected), datetime.now(UTC)
    with pytest.raises(errors.Forbidden, match="in the name of"):
        centre.report([province.leak(1, "li-wen", now, sensor="sensor-2")])
    # What the wire does not let in: as a sensor of another version may send it.
    unfit = province.leak(1, "li-wen", now).model_copy(update={"path": "\x00"})
    with pytest.raises(errors.Malformed):
        centre.report([unfit])
    analyst = ServiceCentre(as_(site, running, tmp_path, service.ANALYST))
    with pytest.raises(errors.TrustError):
        analyst.report([])
    assert found(site) == []


def serial(path: Path) -> Serial:
    return Serial(f"{x509.load_pem_x509_certificates(path.read_bytes())[0].serial_number:040x}")


def test_a_renewed_certificate_is_used_at_once_and_a_revoked_one_refused(
    site: service.Site, connected: Callable[[], ServiceClient]
) -> None:
    centre = ServiceCentre(connected)
    centre.report([])
    old = serial(site.folder / "sensor-1.pem")
    with site.database.write() as session:
        revocation.revoke(session, old, reason="superseded", actor="test", at=datetime.now(UTC))
    with pytest.raises(errors.Unauthenticated):
        centre.report([])
    site.issue("sensor-1", SubjectKind.SENSOR)
    centre.report([])


def test_threads_report_side_by_side(site: service.Site, connected: Callable[[], ServiceClient]) -> None:
    centre, failures = ServiceCentre(connected), []
    now = datetime.now(UTC)

    def work(first: int) -> None:
        try:
            for number in range(first, first + 5):
                centre.report([province.leak(number, "li-wen", now), province.leak(1, "li-wen", now)])
                centre.plan()
        except errors.TrustError as error:
            failures.append(error.detail)

    threads = [threading.Thread(target=work, args=(10 * number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len(found(site)) == 21


# Who the sensor is ---------------------------------------------------------------------------------------------------


def test_the_name_is_what_the_centre_says_and_survives_its_absence(
    running: service.Service, connected: Callable[[], ServiceClient], tmp_path: Path
) -> None:
    place = tmp_path / "sensor"
    place.mkdir()
    running.stop()
    with pytest.raises(errors.Unavailable):
        sensing.own_name(connected, place)
    running.start()
    assert sensing.own_name(connected, place) == "sensor-1"
    running.stop()
    assert sensing.own_name(connected, place) == "sensor-1"


def test_a_person_is_no_sensor(site: service.Site, running: service.Service, tmp_path: Path) -> None:
    with pytest.raises(errors.Forbidden, match="only a sensor") as refused:
        sensing.own_name(as_(site, running, tmp_path, service.ANALYST), tmp_path)
    assert refused.value.word == "no-sensor"
    assert not (tmp_path / sensing.NAME).exists()


def test_a_directory_belongs_to_one_sensor(
    site: service.Site, running: service.Service, connected: Callable[[], ServiceClient], tmp_path: Path
) -> None:
    sensing.own_name(connected, tmp_path)
    with site.database.write() as session:
        session.add(Device(id="sensor-2", kind="sensor", name="边界传感器二号", system="border-sensor"))
    site.issue("sensor-2", SubjectKind.SENSOR)
    other = as_(site, running, tmp_path, "sensor-2")
    with pytest.raises(errors.Conflict, match="belongs to the sensor `sensor-1`"):
        sensing.own_name(other, tmp_path)
    assert (tmp_path / sensing.NAME).read_text() == "sensor-1\n"


def test_nobody_logged_in_is_told(site: service.Site, tmp_path: Path) -> None:
    with pytest.raises(errors.Unauthenticated, match="nobody is logged in"):
        sensing.own_name(lambda: ServiceClient(login.load(tmp_path / "no")), tmp_path)


def test_a_heartbeat_is_noted(site: service.Site, connected: Callable[[], ServiceClient]) -> None:
    ServiceCentre(connected).report([])
    with site.database.read() as session:
        assert session.get_one(Sensor, "sensor-1").first_heard


# Somebody else at the address ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"<html>it works</html>", b"[]", b"null", b'{"policy":1}', b"{}", b"\xff"])
def test_another_server_at_the_address_is_told(site: service.Site, tmp_path: Path, body: bytes) -> None:
    async def other(scope: object, receive: object, send: Callable[..., object]) -> None:
        assert isinstance(scope, dict)
        if scope["type"] == "lifespan":
            return
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})  # type: ignore[misc]
        await send({"type": "http.response.body", "body": body})  # type: ignore[misc]

    made = service.Service(other, site.folder)  # type: ignore[arg-type]
    made.start()
    try:
        centre = ServiceCentre(as_(site, made, tmp_path, "sensor-1"))
        with pytest.raises(errors.Unavailable):
            centre.plan()
        with pytest.raises(errors.Unavailable):
            centre.report([province.leak(1, "li-wen", datetime.now(UTC))])
    finally:
        made.stop()
    assert json.loads((tmp_path / "home-sensor-1" / "login.json").read_text())["url"] == made.url
