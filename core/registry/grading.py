"""Grading: from what would be damaged, and how much, to a level (GB/T 22240-2020). Pure; the matrix is data."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from core.registry.worksheet import DEGREES, OBJECTS, Damages


@dataclass(frozen=True, slots=True)
class Matrix:
    """The matrix with its version and source; ``cells`` by object and degree."""

    version: str
    source: str
    cells: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Grade:
    """What a worksheet says: level of business information (S), of system service (A), and the higher of the two."""

    information: int
    service: int

    @property
    def level(self) -> int:
        """The system's level; 0 when nothing was graded."""
        return max(self.information, self.service)

    def __str__(self) -> str:
        """Print as usual: ``S3A2``; a dash when nothing was graded."""
        return f"S{self.information}A{self.service}" if self.level else "-"


@cache
def matrix() -> Matrix:
    """Return the reviewed matrix. Raises ``ValueError`` when the file is not whole."""
    return parse_matrix(files("core.registry").joinpath("grading.yaml").read_text(encoding="utf-8"))


def parse_matrix(text: str) -> Matrix:
    """Read a matrix; every object and degree must have its level, and more damage never a lower one."""
    read = yaml.safe_load(text)
    cells = {harmed: {degree: int(read["matrix"][harmed][degree]) for degree in DEGREES} for harmed in OBJECTS}
    for row in cells.values():
        levels = list(row.values())
        if levels != sorted(levels) or not 1 <= levels[0] <= levels[-1] <= 5:
            raise ValueError("the grading matrix falls, or leaves the levels 1 to 5")
    return Matrix(str(read["version"]), str(read["source"]), cells)


def grade(information: Damages, service: Damages) -> Grade:
    """Return the levels that follow from the damages: each the highest of its cells."""
    return Grade(_highest(information), _highest(service))


def _highest(damages: Damages) -> int:
    cells = matrix().cells
    return max((cells[harmed][degree] for harmed, degree, _reason in damages), default=0)
