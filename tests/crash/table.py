"""The crash-point table of DECISIONS.md, read back."""

from dataclasses import dataclass

from tests.crash.points import ROOT

DECISIONS = ROOT / "DECISIONS.md"
HEADING = "## Crash points"


@dataclass(frozen=True)
class Row:
    """``place`` is the durable step just done; ``leaves`` and ``repair`` are for a person to read."""

    name: str
    place: str
    leaves: str
    repair: str


def rows() -> list[Row]:
    """Return the rows in their order."""
    section = DECISIONS.read_text(encoding="utf-8").split(f"{HEADING}\n", 1)[1].split("\n## ", 1)[0]
    cells = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("| `")
    ]
    return [Row(one[0].strip("`"), *one[1:]) for one in cells]
