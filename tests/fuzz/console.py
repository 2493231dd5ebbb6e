"""What is fuzzed of the console: the forms of browsers, and what a page prints of anybody's text."""

from contextlib import suppress

from core.console import form, language, page
from core.errors import TrustError

FORM = b"form=00&digest=ff&comment=%E6%BC%94%E7%BB%83%E6%A0%B7%E6%9C%AC+%0D%0A%3Cscript%3E"

#: What no page prints unchanged.
_NEVER = "\0\x1b\u202e\u2066\u2028"


def request(content: bytes) -> None:
    with suppress(TrustError):
        for value in form.parse(form.MEDIA, content).values():
            assert "\0" not in value
    language.preferred(content.decode("latin-1"))


def printed(content: bytes) -> None:
    # As the store hands it out: also what was never well formed.
    text = content.decode("utf-8", "surrogateescape")
    for made in (str(page.printed(text)), str(page.said(text))):
        made.encode("utf-8")
        assert not any(one in made for one in _NEVER)
    assert "<" not in str(page.said(text)).removeprefix("<bdi>").removesuffix("</bdi>")
