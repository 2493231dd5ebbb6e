"""The NIST Public Key Interoperability Test Suite: our table of it, and its certificates and lists."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import cryptography_vectors
import yaml

from pki.validation import certificate, crl, element, path
from pki.validation.certificate import Certificate
from pki.validation.crl import Crl
from pki.validation.extension import ANY_POLICY
from pki.validation.path import Evidence, Proven
from pki.validation.process import Anchor, Parameters
from pki.validation.signature import Algorithms

DATA = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"

#: The suite's own certificates and lists are current from 2010 to 2030.
NOW = datetime(2022, 5, 1, tzinfo=UTC)

#: The suite is of 2011: DSA of 1024 bits, with SHA-1. Nobody who is not a test allows that.
OLD = Algorithms(hashes=frozenset({"sha1", "sha256"}), dsa_bits=1024)


@dataclass(frozen=True)
class Case:
    """One row of ``pkits.yaml``."""

    section: str
    name: str
    path: list[str]
    lists: list[str]
    expected: str
    rfc: str = ""
    place: int = 0
    signers: tuple[str, ...] = ()
    policies: tuple[int, ...] = ()
    explicit: bool = False
    inhibit_mapping: bool = False
    inhibit_any: bool = False

    def parameters(self, algorithms: Algorithms = OLD) -> Parameters:
        asked = frozenset(element.octets_of(f"2.16.840.1.101.3.2.1.48.{last}") for last in self.policies)
        return Parameters(
            now=NOW,
            policies=asked or frozenset({ANY_POLICY}),
            explicit_policy=self.explicit,
            inhibit_mapping=self.inhibit_mapping,
            inhibit_any=self.inhibit_any,
            algorithms=algorithms,
        )

    def evidence(self) -> Evidence:
        lists = tuple(revocation_list(name) for name in ("TrustAnchorRootCRL", *self.lists))
        return Evidence(lists, tuple(certificate_of(name) for name in self.signers))

    def validate(self) -> Proven:
        return path.validate([certificate_of(name) for name in self.path], anchor(), self.parameters(), self.evidence())


def cases() -> list[Case]:
    rows: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "pkits.yaml").read_text(encoding="utf-8"))
    return [Case(**row) for row in rows]


def certificate_file(name: str) -> Path:
    return DATA / "certs" / f"{name}.crt"


def list_file(name: str) -> Path:
    return DATA / "crls" / f"{name}.crl"


@cache
def certificate_of(name: str) -> Certificate:
    return certificate.parse(certificate_file(name).read_bytes())


@cache
def revocation_list(name: str) -> Crl:
    return crl.parse(list_file(name).read_bytes())


@cache
def anchor() -> Anchor:
    return path.trust(certificate_of("TrustAnchorRootCertificate"))
