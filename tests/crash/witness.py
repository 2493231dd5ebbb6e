"""Sees every signature of the authorities at the moment it is asked for, from outside of whoever asks.

A digest may reach an authority's key only when its to-be-signed octets are on record already: as an open intention, or
as a list whose number was taken, or as a time stamp. One serial number, one certificate; one list number, one list.
"""

import hashlib
from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from core.database import Database
from pki.models import CrlList, IssuanceIntent
from pki.tsa.models import StampState, TimeStamp
from tests.services.relay import Signing

AUTHORITY_KEYS = {"root-ca": "root", "issuing-ca": "issuing"}


@dataclass
class Witness:
    """``serials`` and ``lists`` hold what was asked to be signed; ``violations`` what never may be."""

    database: Database
    serials: dict[str, bytes] = field(default_factory=dict)
    lists: dict[tuple[str, str, int], bytes] = field(default_factory=dict)
    stamps: dict[str, bytes] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def see(self, signing: Signing) -> None:
        """Judge one request to sign before it is passed on."""
        name = AUTHORITY_KEYS.get(signing.label)
        if name is None and not signing.label.startswith("tsa-"):
            return
        with self.database.read() as session:
            if name is None:
                if not self._is_stamp(session, signing.label, signing.data):
                    self.violations.append(f"`{signing.label}` was asked for a time stamp that is not on record")
            elif not self._is_intended(session, name, signing.data) and not self._is_list(session, name, signing.data):
                self.violations.append(f"`{signing.label}` was asked to sign what is not on record")

    def _is_intended(self, session: Session, name: str, digest: bytes) -> bool:
        statement = select(IssuanceIntent).where(IssuanceIntent.issuer == name, IssuanceIntent.state == "open")
        for intent in session.exec(statement):
            if hashlib.sha256(intent.tbs).digest() == digest:
                self._once(self.serials, intent.serial, digest)
                return True
        return False

    def _is_stamp(self, session: Session, name: str, digest: bytes) -> bool:
        of = select(TimeStamp).where(TimeStamp.authority == name, TimeStamp.state == StampState.OPEN.value)
        for row in session.exec(of.where(TimeStamp.attributes_sha256 == digest.hex())):
            self._once(self.stamps, row.serial, digest)
            return True
        return False

    def _is_list(self, session: Session, name: str, digest: bytes) -> bool:
        open_ = select(CrlList).where(CrlList.issuer == name, CrlList.tbs_sha256 == digest.hex())
        for taken in session.exec(open_.where(col(CrlList.der).is_(None))):
            self._once(self.lists, (name, taken.scope, taken.number), digest)
            return True
        return False

    def _once(self, known: dict, key: object, digest: bytes) -> None:  # type: ignore[type-arg]  # of either kind
        if known.setdefault(key, digest) != digest:
            self.violations.append(f"{key} was signed twice with different content")
