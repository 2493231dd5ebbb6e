"""Whether a request's protection holds (RFC 9483, 3.5): by a signature or by a shared secret. Pure."""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from pki import der
from pki.cmp import mac
from pki.cmp.errors import (
    BadAlgorithm,
    BadMessage,
    BadNonce,
    BadProtection,
    BadTime,
    BadVersion,
)
from pki.cmp.mac import Mac
from pki.cmp.message import Header, Message
from pki.errors import RefusedPath
from pki.validation import certificate, element, extension, signature
from pki.validation.element import OCTET_STRING, SEQUENCE
from pki.validation.signature import MODERN

#: How far a message's time may be from ours, in either direction.
TOLERANCE = timedelta(minutes=10)

#: Fewest octets of a nonce and of a transaction's identifier (RFC 9483, 3.1: 128 bits of what nobody can guess).
SHORTEST = 16

_DIRECTORY_NAME = 0xA4


@dataclass(frozen=True, slots=True)
class Reference:
    """A message that a secret protects: which one, in the words of its holder, and how."""

    identifier: str
    mac: Mac


def check_header(header: Header, now: datetime) -> None:
    """Raise unless a message's header is what the profile asks for."""
    if header.version not in (2, 3):
        raise BadVersion(f"messages of versions 2 and 3 are answered, not {header.version}"[:200])
    if len(header.transaction) < SHORTEST:
        raise BadMessage(f"transactionID has {len(header.transaction)} octets, and at least {SHORTEST} are needed")
    if len(header.nonce) < SHORTEST:
        raise BadNonce(f"senderNonce has {len(header.nonce)} octets, and at least {SHORTEST} are needed")
    if header.time is not None and abs(header.time - now) > TOLERANCE:
        raise BadTime(f"the message says that it was made at {header.time:%Y-%m-%d %H:%M:%S}Z: look at your clock")


def reference(header: Header) -> Reference | None:
    """Return which secret protects a message; nothing when it is signed. Raises ``BadProtection``, ``BadAlgorithm``."""
    if not header.algorithm:
        raise BadProtection("the message is not protected", hint="sign it, or use an initial secret")
    try:
        if not mac.is_mac(header.algorithm):
            return None
        found = mac.parse(header.algorithm)
    except RefusedPath as error:
        raise BadAlgorithm(f"the protection's algorithm cannot be read: {error.detail}") from error
    try:
        return Reference(header.key.decode("ascii"), found)
    except UnicodeDecodeError as error:
        raise BadProtection("senderKID names no initial secret") from error


def verify_mac(message: Message, found: Mac, secret: str) -> None:
    """Raise ``BadProtection`` unless a message is protected by ``secret``."""
    if message.protection[:1] != b"\x00" or not hmac.compare_digest(
        found.compute(secret, message.protected), message.protection[1:]
    ):
        raise BadProtection("the protection does not hold", hint="use the initial secret as it was shown, with its id")


def signer(message: Message) -> bytes:
    """Return the certificate (DER) by which a message is signed: the first one with it (RFC 9483, 3.3).

    Raises ``BadProtection`` when it is not the one that the header names, or did not sign. Whose it is, and whether it
    is good, is not said by that.
    """
    if not message.certificates:
        raise BadProtection("the message brings no certificate", hint="the first of extraCerts is that of its signer")
    try:
        found = certificate.parse(message.certificates[0])
        own = found.extensions.get(extension.SUBJECT_KEY)
        name = der.encode(_DIRECTORY_NAME, der.encode(SEQUENCE, found.subject.content))
        kid = element.only(own.value, OCTET_STRING).content if own is not None else b""
        if message.header.sender.whole != name or (message.header.key and message.header.key != kid):
            raise BadProtection("sender and senderKID are not those of the certificate that signs")
        if message.protection[:1] != b"\x00":
            raise BadProtection("the message has no signature")
        signature.verify(
            signature.load(found.spki), message.header.algorithm, message.protected, message.protection, MODERN
        )
    except RefusedPath as error:
        raise BadProtection(f"the signature does not hold: {error.detail}") from error
    return message.certificates[0]
