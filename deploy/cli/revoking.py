"""``cert revoke`` for many: what is chosen, what it means, and how far it is."""

import time
from collections.abc import Mapping
from pathlib import Path

from core.errors import Malformed
from core.ledger.entry import JsonValue
from deploy.cli import proposal
from deploy.cli.output import confirm, connect, print_thing, progress, say
from deploy.client import Answer, ServiceClient
from deploy.file import read_text

#: As the service names it; more than it lets one person revoke are proposed.
ACT = "certificate.bulk.revoke"

_PATH = "/api/v1/revocation"


def revoke_many(
    list_: Path | None, chosen: Mapping[str, str], reason: str, *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Show what would be revoked, ask, and order it; or propose it, when it takes two people."""
    body: dict[str, JsonValue] = {"reason": reason}
    body.update({name: value for name, value in chosen.items() if value})
    if list_ is not None:
        text = read_text(list_, largest=8 * 1024 * 1024)
        serials: list[JsonValue] = [line.strip() for line in text.splitlines() if line.strip()]
        if not serials:
            raise Malformed(f"`{list_}` names no certificate", hint="one serial number on a line, 40 digits")
        body["serials"] = serials
    with connect() as client:
        planned = client.post(f"{_PATH}/plan", body)
        # However many they are: the service keeps the plan, and its digest says which.
        asked: dict[str, JsonValue] = {"digest": planned["digest"], "reason": reason}
        if planned["needs_two"] and not dry_run:
            proposal.propose(client, act=ACT, body=asked, reason=f"revoke: {reason}", yes=yes, as_json=as_json)
        if not as_json:
            for line in _lines(planned):
                say(f"  → {line}")
        if dry_run:
            print_thing(planned, as_json=as_json)
            return
        confirm("revoke these, for ever?", yes=yes, as_json=as_json)
        answer = client.post(_PATH, asked)
    print_thing(answer, as_json=as_json)


def follow(digest: str, *, as_json: bool) -> None:
    """Show how far an order is until it is carried out."""
    with connect() as client:
        answer = _await(client, client.get(f"{_PATH}/{digest}"))
    print_thing(answer, as_json=as_json)


def _lines(planned: Answer) -> list[str]:
    told = planned["consequences"]
    return [str(line) for line in told] if isinstance(told, list) else []


def _await(client: ServiceClient, answer: Answer) -> Answer:
    while answer["state"] == "open":
        progress(int(str(answer["done"])), int(str(answer["total"])))
        time.sleep(0.5)
        answer = client.get(f"{_PATH}/{answer['id']}")
    return answer
