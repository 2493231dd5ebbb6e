"""A plan of a take-over between folder and service: judged in parts, told as a report, brought in parts, proposed."""

import base64
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from core.errors import Malformed
from core.ledger.entry import JsonValue
from deploy import oldca, wiring
from deploy.client import ServiceClient, items
from deploy.file import read_text
from deploy.oldca import OldFolder
from pki.takeover import mapping, material
from pki.takeover.authority import JUMP
from pki.takeover.errors import StalePlan
from pki.takeover.judgement import BLOCKED, CHANGES, ENTERS, LISTED
from pki.takeover.mapping import Mapped
from pki.takeover.material import Header, Item

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Report:
    """What would come over; ``digest`` is what two people agree on."""

    header: Header
    digest: str
    rows: Sequence[dict[str, JsonValue]]
    notes: Sequence[str]
    profiles: Sequence[str]

    @property
    def counts(self) -> Counter[str]:
        """Count the verdicts."""
        return Counter(str(row["verdict"]) for row in self.rows)

    @property
    def is_blocked(self) -> bool:
        """Say whether something must be put right first."""
        return bool(self.counts[BLOCKED])

    @property
    def next_number(self) -> int:
        """Return the number from which on the lists here go."""
        return self.header.number + JUMP + 1

    def to_json(self) -> dict[str, JsonValue]:
        """Return all of it for programs."""
        return {
            "authority": self.header.authority,
            "digest": self.digest,
            "old_number": self.header.number,
            "next_number": self.next_number,
            "counts": dict(sorted(self.counts.items())),
            "profiles_without_counterpart": list(self.profiles),
            "notes": list(self.notes),
            "items": list(self.rows),
        }


def look(
    client: ServiceClient, place: Path, asked: tuple[str, str, Sequence[str]], map_: Path | None, progress: Progress
) -> tuple[OldFolder, Report]:
    """Read a folder and have it judged: ``asked`` are the name, the key's label and the domains. Nothing is changed."""
    mapped = mapping.parse(read_text(map_), map_.name) if map_ else Mapped()
    folder = oldca.read(place, mapped, wiring.clock().now())
    return folder, judge(client, folder, header(folder, *asked), progress)


def is_news(client: ServiceClient, report: Report) -> bool:
    """Say whether the service does not know all of it already."""
    known = [one for one in items(client.get("/api/v1/takeover")) if one["authority"] == report.header.authority]
    fresh = sum(report.counts[word] for word in (ENTERS, LISTED, CHANGES))
    return not known or fresh > 0 or known[0]["number"] != report.header.number


def header(folder: OldFolder, name: str, key: str, domains: Sequence[str]) -> Header:
    """Return the header of a folder's plan. Raises ``Malformed``."""
    try:
        return Header(
            name=name,
            key=key,
            domains=tuple(sorted(domains)),
            certificate=base64.b64encode(folder.certificate).decode("ascii"),
            number=folder.number,
            total=len(folder.items),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise Malformed(f"the {first['loc'][0]} cannot be so: {first['msg'].lower()}") from error


def judge(client: ServiceClient, folder: OldFolder, head: Header, progress: Progress) -> Report:
    """Have every certificate judged; nothing is kept anywhere."""
    made, rows = material.Digest(head), list[dict[str, JsonValue]]()
    for first in range(0, max(len(folder.items), 1), material.AT_ONCE):
        part = folder.items[first : first + material.AT_ONCE]
        answer = client.post("/api/v1/takeover/judge", {"header": _plain(head), "items": [_plain(one) for one in part]})
        for item, said in zip(part, items(answer), strict=True):
            made.add(item, str(said["verdict"]))
            rows.append({"place": item.place, "state": item.state, **said})
        progress(first + len(part), len(folder.items))
    return Report(head, made.value(), rows, folder.notes, folder.profiles)


def bring(client: ServiceClient, folder: OldFolder, report: Report, progress: Progress) -> None:
    """Bring the plan of a report, have the key prove itself, and seal it. Raises ``StalePlan`` when it is another."""
    place = f"/api/v1/takeover/{report.digest}"
    for first in range(0, max(len(folder.items), 1), material.AT_ONCE):
        part: list[JsonValue] = [_plain(one) for one in folder.items[first : first + material.AT_ONCE]]
        client.post(f"{place}/part", {"header": _plain(report.header), "first": first, "items": part})
        progress(first + len(part), len(folder.items))
    client.post(f"{place}/key", {})
    if client.post(f"{place}/seal", {})["digest"] != report.digest:
        raise StalePlan("the service sealed another plan", hint="look at a new plan")


def _plain(one: Header | Item) -> dict[str, JsonValue]:
    return dict(one.model_dump(mode="json"))
