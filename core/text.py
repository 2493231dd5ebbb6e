"""Text of others, so that it cannot break out of where it is shown. Pure."""

import unicodedata

#: Stands for a character that has no business in a line of text.
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

#: Controls, formats (bidirectional overrides among them), surrogates, unassigned, line and paragraph separators.
_FORBIDDEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})


def clean(text: str, most: int) -> str:
    """Return ``text`` as one line of at most ``most`` characters without controls; what was cut ends in an ellipsis."""
    plain = "".join(_REPLACEMENT if unicodedata.category(one) in _FORBIDDEN else one for one in text[: most + 1])
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"
