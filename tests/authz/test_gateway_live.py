"""The gateway as a person meets it: real TLS handshakes with nginx, a real decision service behind it."""

from sqlmodel import select

from authz.models import GatewayRequest
from tests.authz.laboratory import Laboratory

REPORT = "/budget/report"


def request_row(laboratory: Laboratory, request: str) -> GatewayRequest:
    with laboratory.house.database.read() as session:
        return session.exec(select(GatewayRequest).where(GatewayRequest.request_id == request)).one()


def test_a_person_is_greeted(laboratory: Laboratory) -> None:
    identity, serial = laboratory.person("li-wen")
    page = laboratory.door().open(REPORT, identity)
    assert (page.status, page.protocol) == (200, "TLSv1.3")
    assert "财政厅 李文" in page.body
    assert serial in page.body
    assert page.headers["x-guosuo-reason"] == "permitted"
    row = request_row(laboratory, page.headers["x-guosuo-request"])
    assert (row.person, row.serial, row.allowed, row.gateway) == ("li-wen", serial, True, "gw-1")
    assert page.headers["x-guosuo-request"] in page.body
