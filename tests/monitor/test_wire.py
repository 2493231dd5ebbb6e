"""Suricata reads captures made here; what is told must be the marking, above the ceiling, of the right request."""

import random
from pathlib import Path

import pytest

from core.registry.level import Classification
from monitor.rules import Boundary
from monitor.sighting import Leak
from tests.monitor import capture
from tests.monitor.capture import Conversation, Exchange
from tests.monitor.following import follow
from tests.services import suricata

FINANCE = Boundary("outer-finance", Classification.INTERNAL, ("10.20.0.0/24",))
OFFICE = Boundary("inner-office", Classification.CONFIDENTIAL, ("10.10.0.0/24",))
BOUNDARIES = (FINANCE, OFFICE)

DOCUMENT = "机密★10年\n演练样本\n北辰省财政厅 预算草案（样本）\n"


def headers(number: int) -> dict[str, str]:
    return {"X-Guosuo-Request": f"{number:032x}", "X-Guosuo-Serial": f"{number:040x}"}


def told(tmp_path: Path, *conversations: Conversation) -> list[Leak]:
    suricata.inspect(tmp_path / "sensor", capture.write(tmp_path / "x.pcap", conversations), BOUNDARIES)
    found = follow(tmp_path / "sensor" / "eve.json", tmp_path / "spool.sqlite3")
    assert all(isinstance(one, Leak) for one in found)
    return [one for one in found if isinstance(one, Leak)]


def one_response(body: bytes, *, form: str = "plain", number: int = 1, server: str = "10.20.0.10") -> Conversation:
    exchange = Exchange(capture.get(headers=headers(number)), capture.answer(body, form=form))
    return Conversation([exchange], client=("10.20.0.1", 40000 + number), server=(server, 8000))


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("form", ["plain", "chunked", "gzip"])
def test_marked_response_is_told_with_its_request(tmp_path: Path, encoding: str, form: str) -> None:
    (leak,) = told(tmp_path, one_response(DOCUMENT.encode(encoding), form=form))
    assert (leak.marking, leak.domain, leak.confirmed) == ("机密★10年", "outer-finance", True)
    assert (leak.request_id, leak.serial) == (f"{1:032x}", f"{1:040x}")
    assert leak.encoding == encoding
    assert (leak.source, leak.destination) == ("10.20.0.10", "10.20.0.1")


def test_right_request_of_a_kept_connection_is_named(tmp_path: Path) -> None:
    bodies = ["清单", DOCUMENT, "附件", "秘密★3年\n演练样本", "完"]
    exchanges = [
        Exchange(capture.get(f"/doc/{number}?name=李文", headers=headers(number)), capture.answer(body.encode()))
        for number, body in enumerate(bodies, 1)
    ]
    leaks = told(tmp_path, Conversation(exchanges))
    assert [(leak.request_id, leak.marking) for leak in leaks] == [
        (f"{2:032x}", "机密★10年"),
        (f"{4:032x}", "秘密★3年"),
    ]
    assert [leak.path for leak in leaks] == ["/doc/2", "/doc/4"]


def test_two_people_at_one_address_are_told_apart(tmp_path: Path) -> None:
    leaks = told(tmp_path, *(one_response(DOCUMENT.encode(), number=number) for number in (5, 6)))
    assert sorted(leak.serial for leak in leaks) == [f"{5:040x}", f"{6:040x}"]


def test_same_document_where_the_ceiling_allows_it_is_silent(tmp_path: Path) -> None:
    conversation = one_response(DOCUMENT.encode(), server="10.10.0.10")
    conversation.client = ("10.10.0.1", 40001)
    assert told(tmp_path, conversation) == []


def test_higher_marking_there_is_told(tmp_path: Path) -> None:
    conversation = one_response("绝密★30年\n演练样本".encode(), server="10.10.0.10")
    conversation.client = ("10.10.0.1", 40001)
    (leak,) = told(tmp_path, conversation)
    assert (leak.domain, leak.marking) == ("inner-office", "绝密★30年")


def test_upload_is_told(tmp_path: Path) -> None:
    form = (
        b'--X\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n' + DOCUMENT.encode() + b"\r\n--X--\r\n"
    )
    plain = Exchange(capture.post(DOCUMENT.encode("gb18030"), headers=headers(1)), capture.answer(b"ok"))
    kind = "multipart/form-data; boundary=X"
    multipart = Exchange(capture.post(form, headers=headers(2), kind=kind), capture.answer(b"ok"))
    leaks = told(tmp_path, Conversation([plain, multipart]))
    assert [(leak.request_id, leak.direction) for leak in leaks] == [
        (f"{1:032x}", "to_server"),
        (f"{2:032x}", "to_server"),
    ]


@pytest.mark.parametrize("place", ["begin", "middle", "end"])
def test_marking_anywhere_in_a_large_document_is_told_once(tmp_path: Path, place: str) -> None:
    filler = "预算草案（演练样本）".encode() * 20_000
    before = {"begin": 0, "middle": len(filler) // 2 // 30 * 30, "end": len(filler)}[place]
    (leak,) = told(tmp_path, one_response(filler[:before] + b"\n" + DOCUMENT.encode() + filler[before:]))
    assert (leak.marking, leak.request_id, leak.confirmed) == ("机密★10年", f"{1:032x}", True)


def test_several_markings_in_one_response_are_one_sighting_of_the_highest(tmp_path: Path) -> None:
    (leak,) = told(tmp_path, one_response("秘密★1年\n汇编\n绝密★长期\n机密★5年\n演练样本".encode()))
    assert leak.marking == "绝密★长期"
    assert leak.hits > 1


BENIGN = [
    "机密计算是一种保护使用中数据的技术，秘密武器、绝密档案都是普通词语。",
    "电影《绝密》★★★★☆ 秘密花园★★★",
    "**机密**计算 * **秘密** * 绝密*",
    "★机密计算白皮书\n★ 秘密武器展",
    "商业秘密★5年",
    "a" * 5000,
]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16-le"])
def test_benign_texts_are_silent(tmp_path: Path, encoding: str) -> None:
    benign = [one_response(text.encode(encoding), number=number) for number, text in enumerate(BENIGN, 1)]
    # One that is none, so that silence cannot come from looking away.
    (leak,) = told(tmp_path, *benign, one_response(DOCUMENT.encode(encoding), number=99))
    assert leak.request_id == f"{99:032x}"


def test_wrong_forms_are_told(tmp_path: Path) -> None:
    forms = ["★机密 10年", "机密 ★ 10 年", "机密☆10年", "机密＊１０年", "机密*10年", "机密✩10年", "☆绝密"]
    conversations = [one_response(f"{form}\n演练样本".encode(), number=number) for number, form in enumerate(forms, 1)]
    assert {leak.request_id for leak in told(tmp_path, *conversations)} == {
        f"{n:032x}" for n in range(1, len(forms) + 1)
    }


def test_header_that_is_there_twice_names_nobody(tmp_path: Path) -> None:
    request = capture.get(headers=headers(1)).replace(b"\r\n\r\n", b"\r\nX-Guosuo-Request: " + b"0" * 32 + b"\r\n\r\n")
    (leak,) = told(tmp_path, Conversation([Exchange(request, capture.answer(DOCUMENT.encode()))]))
    assert (leak.request_id, leak.serial) == ("", f"{1:040x}")


def test_connection_that_is_joined_in_the_middle_is_seen(tmp_path: Path) -> None:
    exchanges = [Exchange(capture.get(headers=headers(n)), capture.answer(DOCUMENT.encode())) for n in (1, 2)]
    conversation = Conversation(exchanges)
    late = capture.Cut(conversation, first=3)
    assert f"{2:032x}" in {leak.request_id for leak in told(tmp_path, late)}


@pytest.mark.parametrize(
    ("bom", "encoding"), [(b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8")]
)
def test_byte_order_marks_hide_nothing(tmp_path: Path, bom: bytes, encoding: str) -> None:
    (leak,) = told(tmp_path, one_response(bom + DOCUMENT.encode(encoding)))
    assert (leak.marking, leak.encoding) == ("机密★10年", encoding)


def test_hostile_names_hide_no_leak(tmp_path: Path) -> None:
    places = [
        b"/\xff\xfe\x80",
        "/机密".encode("gb18030"),
        b"/a\x00b",
        b'/"}\\u0000\\',
        b"/%00%ff%c0%ae",
        b"/" + b"x" * 6000,
        b"/\x1b[2J\xe2\x80\xae",
    ]
    conversations = []
    for number, place in enumerate(places, 1):
        request = capture.get(headers=headers(number)).replace(b"/doc", place).replace(b"budget.example", place[:80])
        exchange = Exchange(request, capture.answer(DOCUMENT.encode()))
        conversations.append(Conversation([exchange], client=("10.20.0.1", 41000 + number)))
    leaks = told(tmp_path, *conversations)
    assert {leak.request_id for leak in leaks} == {f"{number:032x}" for number in range(1, len(places) + 1)}
    for leak in leaks:
        assert Leak.model_validate_json(leak.model_dump_json()) == leak
        assert (leak.path + leak.host).isprintable()


#: What clean documents are made of: ordinary words, and what looks like a marking and is none.
WORDS = [
    "预算",
    "草案",
    "公文",
    "通知",
    "会议",
    "纪要",
    "财政厅",
    "办公厅",
    "演练样本",
    "2026年",
    "10年",
    "长期",
    "机密计算",
    "秘密武器",
    "绝密档案",
    "商业秘密★5年",
    "工作秘密",
    "保密工作",
    "密级",
    "解密",
    "涉密",
    "★★★☆☆",
    "★",
    "☆",
    "*",
    "**",
    "评分★4",
    "《绝密》★★★★",
    "★机密计算白皮书",
    "**秘密**花园",
    "机密性",
    "内部",
    "公开",
    "confidential",
    "secret",
]


def clean_document(number: int) -> str:
    chooser = random.Random(number)
    lines = [
        "，".join(chooser.choices(WORDS, k=chooser.randint(1, 12))) + chooser.choice("。！？\n")
        for _ in range(chooser.randint(1, 30))
    ]
    return "\n".join(lines)


def test_a_thousand_clean_documents_are_silent(tmp_path: Path) -> None:
    conversations = []
    for batch in range(40):
        exchanges = []
        for number in range(batch * 25 + 1, batch * 25 + 26):
            body = clean_document(number).encode(("utf-8", "gb18030", "utf-16-le", "utf-16-be")[number % 4])
            form = ("plain", "chunked", "gzip")[number % 3]
            exchanges.append(Exchange(capture.get(headers=headers(number)), capture.answer(body, form=form)))
        # One marked document at the end of each connection: it was looked at to its end.
        marked = Exchange(capture.get(headers=headers(9000 + batch)), capture.answer(DOCUMENT.encode()))
        conversations.append(Conversation([*exchanges, marked], client=("10.20.0.1", 42000 + batch)))
    leaks = told(tmp_path, *conversations)
    assert sorted(leak.request_id for leak in leaks) == [f"{9000 + batch:032x}" for batch in range(40)]
