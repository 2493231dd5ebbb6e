"""The grammar of markings: what is one in every encoding, what is none, and that nothing of a document gets lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.registry.level import Classification
from monitor import markings

SECRET, CONFIDENTIAL, TOP = Classification.SECRET, Classification.CONFIDENTIAL, Classification.TOP_SECRET

#: As ``str.encode`` writes them; the first two with a byte order mark.
ENCODINGS = ["utf-16", "utf-8-sig", "utf-8", "gb18030", "utf-16-le", "utf-16-be"]

levels = st.sampled_from([SECRET, CONFIDENTIAL, TOP])
terms = st.one_of(
    st.integers(1, 30).map(lambda years: f"{years}年"),
    st.integers(1, 11).map(lambda months: f"{months}个月"),
    st.sampled_from(["长期", "永久", "十年", "启用前", "会议结束后", "2030年1月1日", "20301231", "2030-01-01", ""]),
)
#: Text around a marking that neither is one nor touches it: no level, no star, no figure, no space.
prose = st.text(alphabet="预算草案演练样本财政厅办公文件,.abcXYZ\n", max_size=60)


def strong(text: str) -> list[markings.Marking]:
    return [one for one in markings.find_markings(text) if one.strong]


@pytest.mark.parametrize(
    ("text", "level", "term", "malformed"),
    [
        ("绝密★30年", TOP, "30年", False),
        ("机密★10年", CONFIDENTIAL, "10年", False),
        ("秘密★6个月", SECRET, "6个月", False),
        ("秘密★启用前", SECRET, "启用前", False),
        ("机密★", CONFIDENTIAL, "", False),
        ("绝密★长期", TOP, "长期", False),
        ("机密★2030年1月1日", CONFIDENTIAL, "2030年1月1日", False),
        ("机密☆10年", CONFIDENTIAL, "10年", True),
        ("机密＊１０年", CONFIDENTIAL, "10年", True),
        ("★机密 10年", CONFIDENTIAL, "10年", True),
        ("机 密 ★ 10 年", CONFIDENTIAL, "10年", True),
        ("机密★十年", CONFIDENTIAL, "十年", True),
        ("机\u200b密★10\ufeff年", CONFIDENTIAL, "10年", False),
        ("【机密★10年】", CONFIDENTIAL, "10年", False),
    ],
)
def test_markings_are_read(text: str, level: Classification, term: str, malformed: bool) -> None:
    (found,) = strong(f"{text}\n演练样本")
    assert (found.level, found.term, found.malformed) == (level, term, malformed)


@pytest.mark.parametrize(
    "text",
    [
        "机密计算是一种保护使用中数据的技术",
        "秘密武器、绝密档案、机密信息都是普通词语",
        "电影《绝密》★★★★☆",
        "商业秘密★5年",
        "工作秘密★5年",
        "**机密**计算",
        "机密* 见脚注",
        "★机密计算白皮书",
        "机★密10年",
        "密★10年",
        "★10年",
        "",
        "\ufffd" * 40,
    ],
)
def test_words_are_no_markings(text: str) -> None:
    assert strong(text) == []


@given(level=levels, term=terms, before=prose, after=prose)
def test_what_is_written_is_found(level: Classification, term: str, before: str, after: str) -> None:
    (found,) = strong(f"{before}\n{level.marking}★{term}\n{after}")
    assert (found.level, found.term, found.text) == (level, term, f"{level.marking}★{term}")
    assert not found.malformed or any(figure in term for figure in "十")


@given(level=levels, term=terms, before=prose, after=prose, encoding=st.sampled_from(ENCODINGS))
def test_it_is_found_in_every_encoding(
    level: Classification, term: str, before: str, after: str, encoding: str
) -> None:
    content = f"{before}\n{level.marking}★{term}\n{after}".encode(encoding)
    named, found = markings.find_in(content)
    assert (level, term) in [(one.level, one.term) for one in found]
    assert named in {encoding, {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}.get(encoding)}


@given(level=levels, encoding=st.sampled_from(markings.ENCODINGS), cut=st.integers(0, 8), after=st.binary(max_size=40))
def test_it_is_found_in_a_window_that_begins_anywhere(
    level: Classification, encoding: str, cut: int, after: bytes
) -> None:
    content = ("预算草案\n".encode(encoding))[cut:] + f"{level.marking}★10年\n演练".encode(encoding) + after
    _named, found = markings.find_in(content)
    assert level in [one.level for one in found]


@given(prose=st.text(max_size=400))
@settings(max_examples=200)
def test_arbitrary_text_never_breaks_it(prose: str) -> None:
    for found in markings.find_markings(prose):
        assert markings.normalise(prose)[found.start :]
        assert found.level in markings.LONGEST_TERM
        assert len(found.text) <= 60


@given(content=st.binary(max_size=400))
@settings(max_examples=200)
def test_arbitrary_octets_never_break_it(content: bytes) -> None:
    encoding, found = markings.find_in(content)
    assert (encoding == "") == (found == [])


def test_several_documents_in_several_encodings_give_the_highest() -> None:
    content = "秘密★1年\n甲".encode() + b"\r\n--X\r\n\r\n" + "机密★10年\n乙".encode("gb18030")
    encoding, found = markings.find_in(content)
    governing = markings.highest(found)
    assert governing is not None
    assert (encoding, governing.text) == ("gb18030", "机密★10年")


def test_the_longer_term_of_equal_levels_governs() -> None:
    governing = markings.highest(strong("机密★1年\n机密★20年\n秘密★30年"))
    assert governing is not None
    assert governing.text == "机密★20年"


def test_a_level_alone_counts_weakly_and_only_at_the_top() -> None:
    (weak,) = markings.find_markings("机密\n预算草案")
    assert (weak.level, weak.strong) == (CONFIDENTIAL, False)
    assert markings.find_markings("一\n二\n三\n四\n五\n机密\n") == []


@pytest.mark.parametrize(
    ("level", "term", "too_long"),
    [
        (SECRET, "10年", False),
        (SECRET, "11年", True),
        (CONFIDENTIAL, "二十年", False),
        (CONFIDENTIAL, "二十一年", True),
        (TOP, "一百年", True),
        (SECRET, "121个月", True),
        (TOP, "长期", False),
        (TOP, "2099年1月1日", False),
    ],
)
def test_terms_are_held_against_the_law(level: Classification, term: str, too_long: bool) -> None:
    assert markings.exceeds_legal_maximum(level, term) is too_long


def test_hostile_length_is_read_in_reasonable_time() -> None:
    for text in ("机" * 200_000, "机密" * 100_000, "★" * 200_000, "机 " * 100_000, "机密★" + "启" * 200_000):
        assert len(markings.find_in(text.encode())[1]) <= 1
