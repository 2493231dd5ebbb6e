"""PKCS#11 URIs: what names one key is read, anything else, and every PIN in one, is refused."""

import pytest

from core.errors import Malformed
from deploy import carduri


def test_key_certificate_and_everything_on_the_token() -> None:
    uri = carduri.parse_uri(
        "pkcs11:token=my%20card;id=%01;type=private?module-path=/usr/lib/x.so&pin-source=file:/p%20n"
    )
    assert uri.key == "pkcs11:token=my%20card;id=%01;type=private"
    assert uri.certificate == "pkcs11:token=my%20card;id=%01;type=cert"
    assert uri.certificates == "pkcs11:token=my%20card;type=cert"
    assert (uri.module, uri.pin_source) == ("/usr/lib/x.so", "/p n")


def test_without_a_module_every_known_one_is_asked() -> None:
    assert carduri.parse_uri("pkcs11:serial=1;object=a").module == carduri.EVERY_MODULE


@pytest.mark.parametrize(
    "text",
    [
        "pkcs11:",
        "pkcs11:token=card",
        "pkcs11:object=key",
        "pkcs11:token=card;object=key;pin-value=1",
        "pkcs11:token=card;object=key?pin-value=1",
        "pkcs11:token=card;object=key?pin-source=|cat%20x&pin-source=y",
        "pkcs11:token=card;token=other;object=key",
        "pkcs11:token=card;object=",
        "pkcs11:token=card;object=a b",
        "pkcs11:token=card;object=a\nactivate = 1",
        "pkcs11:token=card;object=%zz",
        "pkcs11:token=card;object=k;x-vendor=1",
        "pkcs11:token=card;object=k?module-path=/x.so%0Aactivate=1",
        "pkcs11:token=card;object=k?module-name=softhsm2",
        "pkcs11:token=卡;object=k",
        "pkcs11:token=card;object=k?pin-source=pin",
        "pkcs11:token=card;object=k?pin-source=file:secret/pin",
        "pkcs11:token=card;object=k?pin-source=file:",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as refused:
        carduri.parse_uri(text)
    assert "1" not in refused.value.detail or "pin-value" not in text or "PIN" in refused.value.detail


@pytest.mark.parametrize(
    "text",
    [
        "pkcs11:token=card;object=k?Pin-Value=135790",
        "pkcs11:token=card;object=k?pin=135790",
        "pkcs11:token=card;object=k;pin-value=135790",
        "pkcs11:token=card;object=k?pin-source=/x;pin-value=135790",
        "pkcs11:token=card;object=k?pin-source=135790|",
        "pkcs11:token=card;object=k?pin-source=135790",
        "pkcs11:token=card;object=k?pin-source=file:135790",
    ],
)
def test_no_refusal_repeats_a_pin(text: str) -> None:
    with pytest.raises(Malformed) as refused:
        carduri.parse_uri(text)
    assert "135790" not in f"{refused.value.detail} {refused.value.hint}"


def test_a_uri_has_a_longest_size() -> None:
    with pytest.raises(Malformed, match="names no key"):
        carduri.parse_uri(f"pkcs11:token=card;object={'k' * 70_000}")


def test_a_file_is_no_uri() -> None:
    assert not carduri.is_uri("my/key.pem")
    assert carduri.is_uri("pkcs11:token=x;object=y")
