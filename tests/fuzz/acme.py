"""What is fuzzed of ACME: signed requests, orders, and the certificates that machines show."""

import json
from contextlib import suppress
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec

from core.errors import TrustError
from pki.acme import identifier, jws, payload, shown
from pki.names import Holder
from tests.pki.acme import client

HOLDER = Holder("application", "app", "演练样本", "演练样本", "fin", "fin.example", ("10.20.0.0/16",))

ORDER = (
    b'{"identifiers":[{"type":"dns","value":"a.fin.example"},{"type":"ip","value":"10.20.0.1"}],"replaces":"AAAA.AAAA"}'
)


@cache
def signed() -> bytes:
    # The same in every process: what one of them found is tried by another.
    key = ec.derive_private_key(20261125, ec.SECP256R1())
    header = {"alg": "ES256", "nonce": "AAAA", "url": "https://a.example/x", "jwk": client.jwk(key)}
    return json.dumps(client.jws(header, {}, key)).encode()


def request(content: bytes) -> None:
    with suppress(TrustError):
        jws.is_authentic(jws.parse_jws(content), b"secret")
    with suppress(TrustError):
        found = jws.parse_jws(content)
        if found.key is not None:
            assert len(found.key.thumbprint) == 43
            jws.verify(found, found.key)
            assert found.signed == jws.parse_jws(signed()).signed, "a request that nobody signed was accepted"


def order(content: bytes) -> None:
    with suppress(TrustError):
        asked = payload.parse(payload.NewOrder, content)
        wanted = [identifier.read(one.type, one.value) for one in asked.identifiers]
        identifier.check(HOLDER, wanted)
        assert all(one.value.endswith("fin.example") or one.value.startswith("10.20.") for one in wanted)


def certificate(content: bytes) -> None:
    with suppress(TrustError):
        shown.check_certificate(content, shown.PROTOCOL, identifier.read("dns", "a.fin.example"), bytes(32))
        raise AssertionError("a certificate that nobody made was accepted")
