"""Texts that want to be more than text: in the register, in requests, in comments. A page shows them and no more."""

import pytest

from core.registry.models import Organisation, Person
from pki.models import DeskRequest
from tests.console.house import Console

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": '" onmouseover="alert(1)" x=\'y',
    "template": "{{ 7 * 7 }}{% raw %}",
    "closing": "</textarea></title><img src=x>",
    "direction": "li-wen\u202egnp.exe\u2066",
    "invisible": "a\u200bb\ufeffc\u00add",
    "controls": "a\x1b[2Jb\x85c\x9b31m",
    "lines": "one\u2028two\u2029three",
}

#: What no page may hold, wherever it came from.
NEVER = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\ufeff\u00ad\x1b\x85\x9b\u2028\u2029"


def check_harmless(text: str) -> None:
    assert not [one for one in NEVER if one in text]
    assert "<script>" not in text
    assert "<img" not in text


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_hostile_text_is_text(console: Console, kind: str, language: str) -> None:
    row, text = console.file("ge-city"), HOSTILE[kind]
    with console.database.write() as session:
        person = session.get_one(Person, "ge-city")
        kept, person.name = person.name, text
        department = session.get_one(Organisation, person.organisation)
        title, department.name = department.name, text
        stored = session.get_one(DeskRequest, row.id)
        stored.comment, stored.requester, stored.domain = text, text[:120], text[:80]
        session.add_all([person, department, stored])
    try:
        officer = console.browser("zhao-ra", language)
        pages = [f"/console/request/{row.id}", "/console/request?q=ge-city", "/console/"]
        # Each is looked at as every page is: well formed, nothing inline (tests/console/house.py).
        shown = [officer.get(page).text for page in pages]
        for one in shown:
            check_harmless(one)
        assert row.id in shown[0]
        if kind == "template":
            assert text in shown[0]
        assert "<bdi>" in shown[0]
    finally:
        with console.database.write() as session:
            person = session.get_one(Person, "ge-city")
            person.name = kept
            department = session.get_one(Organisation, person.organisation)
            department.name = title
            session.add_all([person, department])


def test_a_request_that_cannot_be_read_is_shown_as_such(console: Console) -> None:
    """As a restored or damaged store might hold it."""
    row = console.file("ge-city")
    with console.database.write() as session:
        stored = session.get_one(DeskRequest, row.id)
        stored.csr = "-----BEGIN CERTIFICATE REQUEST-----\n<script>\n-----END CERTIFICATE REQUEST-----\n"
        session.add(stored)
    shown = console.browser("zhao-ra").get(f"/console/request/{row.id}")
    assert shown.status_code == 200
    assert "the request cannot be read" in shown.text
    check_harmless(shown.text)


@pytest.mark.parametrize("path", ["/console/request/<script>", "/console/%3Cscript%3E", "/console/request?q=<script>"])
def test_an_address_is_not_repeated_as_markup(console: Console, path: str) -> None:
    check_harmless(console.browser("zhao-ra").get(path).text)
