"""Where status is found: one place for each serial number, spread evenly, and the same for ever."""

from collections import Counter

from cryptography import x509
from hypothesis import given
from hypothesis import strategies as some

from core.identity import Serial
from pki import issuer, pointers

URL = "http://status.beichen.example"


@given(random=some.binary(min_size=20, max_size=20), shards=some.integers(1, 1_000))
def test_every_serial_has_one_shard(random: bytes, shards: int) -> None:
    serial = issuer.new_serial(lambda count: random[:count])
    assert pointers.shard(serial, shards) == int.from_bytes(random[12:], "big") % shards


def test_shards_are_filled_evenly() -> None:
    counts = Counter(
        pointers.shard(Serial(f"{number * 0x9E3779B97F4A7C15:040x}"[-40:]), 16) for number in range(16_000)
    )
    assert set(counts) == set(range(16))
    assert max(counts.values()) < 1.2 * min(counts.values())


def test_addresses_are_those_that_are_served() -> None:
    (point,) = pointers.distribution(URL, "issuing", 3)
    assert point.full_name == [x509.UniformResourceIdentifier(f"{URL}/crl/issuing/{pointers.SHARDS}/3.crl")]
    told = [(one.access_method._name, one.access_location.value) for one in pointers.access(URL, "issuing")]
    assert told == [("OCSP", f"{URL}/ocsp/issuing"), ("caIssuers", f"{URL}/ca/issuing.cer")]
