"""Who acts: the principal that an authenticated certificate stands for, and the identifiers of the register."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

OrganisationId = NewType("OrganisationId", str)
PersonId = NewType("PersonId", str)
PostId = NewType("PostId", str)
DomainId = NewType("DomainId", str)
SystemId = NewType("SystemId", str)

#: The security domain of the installation itself: what the management interface belongs to.
SITE = DomainId("site")

#: A certificate's serial number: 40 lower-case hexadecimal digits, that is 20 octets, the first between 01 and 7f.
Serial = NewType("Serial", str)

#: Identifies one request from the gateway to the record of its decision: 32 lower-case hexadecimal digits.
RequestId = NewType("RequestId", str)


class SubjectKind(StrEnum):
    """What a certificate may be issued to."""

    PERSON = "person"
    BOOTSTRAP = "bootstrap"
    GATEWAY = "gateway"
    SENSOR = "sensor"
    APPLICATION = "application"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated subject: made only by an ``Authenticator`` from a certificate that is good at this moment.

    ``identifier`` is the subject's id in the register (a person's, or a device's name), ``domain`` its security domain.
    """

    kind: SubjectKind
    identifier: str
    name: str
    organisation: OrganisationId
    domain: DomainId
    issuer: str
    serial: Serial
