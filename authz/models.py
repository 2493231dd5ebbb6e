"""Tables of the decisions: what passed a gateway. Written only by ``authz/gateway.py``, read by ``monitor``."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from core.database import UtcDateTime


class GatewayRequest(SQLModel, table=True):
    """One request at a gateway, allowed or not: what an alert on the clear hop is joined to by ``request_id``.

    ``serial`` is the authenticated certificate's; for a request refused before that, the one it *claimed*, and then
    ``person`` is empty. ``person`` is the holder's id, ``domain`` the application's security domain, ``reason`` the
    stable word that was answered.
    """

    __tablename__ = "gateway_request"

    request_id: str = Field(primary_key=True, max_length=32)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    gateway: str = Field(max_length=80)
    address: str = Field(default="", max_length=45)
    serial: str = Field(default="", max_length=40, index=True)
    person: str = Field(default="", max_length=80, index=True)
    application: str = Field(default="", max_length=80)
    system: str = Field(default="", max_length=80)
    domain: str = Field(default="", max_length=80)
    action: str = Field(default="", max_length=160)
    resource: str = Field(default="", max_length=200)
    allowed: bool
    reason: str = Field(max_length=40)
