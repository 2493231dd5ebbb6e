"""Mail through a real relay: only over TLS, only to one mailbox, and no text breaks out of its place."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.notice import mail
from core.notice.errors import DeliveryFailed
from core.notice.mail import Mail
from core.notice.settings import MailSettings
from tests.core.notice.messages import HOSTILE, message
from tests.services import mail as relays
from tests.services.certificate import Identity

SENDER = "guosuo@site.beichen.example"


def settings(port: int, identity: Identity | None = None, **more: object) -> MailSettings:
    values = {"host": "localhost", "port": port, "sender": SENDER, "security": "none", **more}
    if identity is not None:
        values["trusted_file"] = identity.certificate
    return MailSettings.model_validate(values)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_message_arrives_over_tls(identity: Identity, security: str) -> None:
    with relays.running(identity, tls=security == "tls", starttls=security == "starttls") as relay:
        receipt = Mail(settings(relay.port, identity, security=security)).send(message())
    assert receipt == "250 queued as 1"
    (found,) = relay.mails
    assert relay.taken[0][0] == "zhou@fin.beichen.example"
    assert (found["from"], found["to"], found["auto-submitted"]) == (
        SENDER,
        "zhou@fin.beichen.example",
        "auto-generated",
    )
    assert found["message-id"] == f"<{'ab' * 16}@site.beichen.example>"
    assert found.get_content().replace("\r\n", "\n") == message().text
    assert found["subject"] == message().subject


@pytest.mark.parametrize("title", HOSTILE)
def test_no_title_breaks_out_of_its_place(identity: Identity, title: str) -> None:
    with relays.running() as relay:
        Mail(settings(relay.port)).send(message(title, 3))
    ((recipient, raw),) = relay.taken
    (found,) = relay.mails
    assert recipient == "zhou@fin.beichen.example"
    assert found["bcc"] is None
    names = [name.lower() for name in found]
    assert len(names) == len(set(names))
    assert not found.is_multipart()
    assert found.get_content().replace("\r\n", "\n") == message(title, 3).text
    assert all(len(line) <= 998 and line.isascii() for line in raw.splitlines())


@pytest.mark.parametrize(
    "address",
    [
        "",
        "zhou",
        "zhou@",
        "@fin.example",
        "a@b, c@d",
        "a@b>\r\nRCPT TO:<c@d",
        "Zhou <zhou@fin.example>",
        "周@fin.example",
        "a b@fin.example",
        "x" * 300 + "@fin.example",
    ],
)
def test_what_is_no_mailbox_is_refused_for_good(address: str) -> None:
    with relays.running() as relay, pytest.raises(DeliveryFailed) as caught:
        Mail(settings(relay.port)).send(replace(message(), address=address))
    assert caught.value.for_good
    assert relay.taken == []


def test_a_relay_without_starttls_gets_nothing(identity: Identity) -> None:
    with relays.running() as relay, pytest.raises(DeliveryFailed, match="STARTTLS"):
        Mail(settings(relay.port, identity, security="starttls")).send(message())
    assert relay.taken == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_relay_that_is_somebody_else_gets_nothing(identity: Identity, stranger: Identity, security: str) -> None:
    with relays.running(stranger, tls=security == "tls", starttls=security == "starttls") as relay:
        for trusted in (identity, stranger):
            with pytest.raises(DeliveryFailed) as caught:
                Mail(settings(relay.port, trusted, security=security)).send(message())
            assert not caught.value.for_good
    assert relay.taken == []


def test_logging_in_takes_the_password_of_the_file(identity: Identity, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    with relays.running(identity, starttls=True, password=b"right") as relay:
        one = Mail(settings(relay.port, identity, security="starttls", user="guosuo", password_file=secret))
        with pytest.raises(DeliveryFailed, match="cannot be read"):
            one.send(message())
        secret.write_text("wrong\n")
        with pytest.raises(DeliveryFailed, match="535") as caught:
            one.send(message())
        assert "wrong" not in caught.value.detail
        secret.write_text("right\n")
        assert one.send(message()).startswith("250")


@pytest.mark.parametrize(("answer", "for_good"), [("550 nobody here", True), ("450 later", False)])
def test_a_refusal_is_told_apart_from_a_delay(answer: str, for_good: bool) -> None:
    with relays.running() as relay:
        relay.refuse["zhou@fin.beichen.example"] = answer
        with pytest.raises(DeliveryFailed, match=answer) as caught:
            Mail(settings(relay.port)).send(message())
    assert caught.value.for_good is for_good


def test_nobody_at_the_port() -> None:
    with relays.running() as relay:
        port = relay.port
    with pytest.raises(DeliveryFailed, match=r"^the relay did not take it: .*Connection refused$"):
        Mail(settings(port)).send(message())


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "relay.example", "security": "none"},
        {"host": "localhost", "user": "x"},
        {"host": "localhost", "sender": "a@b\r\nBcc: c@d"},
        {"host": "localhost", "sender": "nobody"},
        {"host": ""},
        {"host": "localhost", "port": 0},
        {"host": "localhost", "password": "in the clear"},
    ],
)
def test_settings_that_would_leak_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MailSettings.model_validate({"sender": SENDER, **wrong})


@pytest.mark.parametrize("password", ["密码", b"\xff\xfe".decode("latin-1")])
def test_a_password_that_cannot_be_sent_is_a_failed_delivery(identity: Identity, tmp_path: Path, password: str) -> None:
    secret = tmp_path / "password"
    secret.write_text(password, encoding="latin-1" if password.isascii() or ord(password[0]) < 256 else "utf-8")
    with relays.running(identity, starttls=True, password=b"right") as relay, pytest.raises(DeliveryFailed) as caught:
        Mail(settings(relay.port, identity, security="starttls", user="guosuo", password_file=secret)).send(message())
    assert password not in caught.value.detail
    assert relay.taken == []


@pytest.mark.parametrize("host", ["x" * 70 + ".example", "a..b", "nowhere.invalid"])
def test_a_host_that_is_none_is_a_failed_delivery(host: str, identity: Identity) -> None:
    with pytest.raises(DeliveryFailed):
        Mail(settings(25, identity, host=host, security="starttls")).send(message())


def test_a_mail_of_many_duties_is_one_mail() -> None:
    assert mail.render(message("t", 200), SENDER).count(b"Message-ID") == 1
