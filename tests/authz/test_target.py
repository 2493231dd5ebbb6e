"""Targets: accepted in one form only, whatever an application might make of another."""

import posixpath
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz import target
from authz.target import BadTarget

SEGMENT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)


@given(st.lists(SEGMENT, min_size=1, max_size=4))
def test_an_accepted_path_reads_the_same_for_everybody(segments: list[str]) -> None:
    path = "/" + "/".join(quote(one, safe="!$&'()*+,=:@") for one in segments)
    try:
        assert target.parse_target(path) == path
    except BadTarget:
        return
    decoded = unquote(path, errors="strict")
    assert posixpath.normpath(decoded) == decoded
    assert unquote(decoded) == decoded
    assert quote(decoded, safe="/!$&'()*+,=:@") == path
    assert not set(decoded) & set('\\;?#"<>^`{|}%')


@given(st.text(max_size=60))
def test_any_text_is_accepted_whole_or_refused(text: str) -> None:
    try:
        path = target.parse_target(text)
    except BadTarget:
        return
    assert text == path or text.startswith(f"{path}?")


@pytest.mark.parametrize(
    "good", ["/", "/a", "/a/", "/a/b.c~d", "/%E8%BF%87%E6%89%80", "/a?b=c&d=%2e%2e/", "/a?", "/a:b@c"]
)
def test_plain_targets(good: str) -> None:
    assert target.parse_target(good) == good.partition("?")[0]


BAD = (
    *("", "a", "*", "//", "/a//b", "/.", "/..", "/a/../b", "/a.", "/a%2Fb", "/a%5cb", "/%41", "/%e8%bf%87", "/%E8"),
    *("/a;b", "/a%00", "/a%0A", "/a b", "/a\x7f", "/a?b c", "/a?\n", "/a#b", "/a?b#c", "/é", "/a\\b", "/%C2%85"),
    *("/%C0%AE", "/a?é", "/%", "/%G0", "/a%E3%80%80", f"/{'a' * 5000}"),
)


@pytest.mark.parametrize("bad", BAD)
def test_everything_else(bad: str) -> None:
    with pytest.raises(BadTarget) as error:
        target.parse_target(bad)
    assert error.value.word == "malformed-path"
