"""What a rehearsal leaves: a self-contained page with a timeline, in Chinese and English."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deploy.rehearsal.step import Step

_WIDTH = 760


@dataclass(frozen=True, slots=True)
class Bar:
    """One step in the timeline: pixels from the left, width, and where its line is."""

    number: int
    title: str
    ok: bool
    left: float
    width: float
    top: int
    seconds: float


def timeline(steps: Sequence[Step]) -> list[Bar]:
    """Lay the steps out over the picture's width; the shortest is still visible."""
    total = max((step.started + step.seconds for step in steps), default=0.0) or 1.0
    scale = _WIDTH / total
    return [
        Bar(
            step.number,
            step.title,
            step.ok,
            round(step.started * scale, 1),
            max(2.0, round(step.seconds * scale, 1)),
            index * 22,
            step.seconds,
        )
        for index, step in enumerate(steps)
    ]


def write(
    path: Path, steps: Sequence[Step], *, parts: Sequence[tuple[str, str]], bundle: str, fingerprint: str
) -> None:
    """Write the page to ``path``. ``parts`` are name and version of what took part."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("report.html").render(
        steps=steps,
        bars=timeline(steps),
        width=_WIDTH,
        height=len(steps) * 22 + 8,
        total=sum(step.seconds for step in steps),
        passed=sum(step.ok for step in steps),
        ok=bool(steps) and all(step.ok for step in steps),
        parts=parts,
        bundle=bundle,
        fingerprint=fingerprint,
    )
    path.write_text(page, encoding="utf-8")
