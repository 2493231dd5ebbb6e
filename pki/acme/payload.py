"""What clients send inside of their signed requests (RFC 8555, 7; RFC 9773, 5), read whole or refused. Pure."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pki.acme import encoding
from pki.acme.errors import BadRequest
from pki.acme.identifier import MOST


class _Payload(BaseModel):
    # Members that are not known are ignored, as the protocol wants for its extensions (RFC 8555, 7.3 and 7.4).
    model_config = ConfigDict(extra="ignore", strict=True)


class NewAccount(_Payload):
    """A new account, or the question whether there is one."""

    contact: list[str] = Field(default_factory=list, max_length=20)
    onlyReturnExisting: bool = False  # noqa: N815  # the protocol's names
    externalAccountBinding: dict[str, object] | None = None  # noqa: N815


class AccountUpdate(_Payload):
    """What is changed of an account."""

    contact: list[str] | None = Field(default=None, max_length=20)
    status: str | None = Field(default=None, max_length=20)


class WantedIdentifier(_Payload):
    """A host name or an address."""

    type: str = Field(max_length=20)
    value: str = Field(max_length=300)


class NewOrder(_Payload):
    """What a certificate is ordered for."""

    identifiers: list[WantedIdentifier] = Field(min_length=1, max_length=MOST)
    notBefore: str | None = None  # noqa: N815
    notAfter: str | None = None  # noqa: N815
    replaces: str | None = Field(default=None, max_length=120)


class AuthorizationUpdate(_Payload):
    """What is changed of an authorization."""

    status: str = Field(max_length=20)


class Finalize(_Payload):
    """The certification request (DER, base64url)."""

    csr: str


class Revoke(_Payload):
    """The certificate (DER, base64url) and the code of the reason (RFC 5280, 5.3.1)."""

    certificate: str
    reason: int = 0


class KeyChange(_Payload):
    """The account and its key up to now."""

    account: str = Field(max_length=500)
    oldKey: dict[str, object]  # noqa: N815


Kind = TypeVar("Kind", bound=_Payload)


def parse(kind: type[Kind], content: bytes) -> Kind:
    """Read a payload. Raises ``BadRequest`` naming the first fault."""
    found = encoding.parse_object(content, "the payload")
    try:
        return kind.model_validate(dict(found))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"`{place[:80]}` of the payload: {first['msg'].lower()}") from error


def check_empty(content: bytes) -> None:
    """Raise ``BadRequest`` unless something is only asked for (POST-as-GET: RFC 8555, 6.3)."""
    if content:
        raise BadRequest("here the payload is empty (POST-as-GET)")
