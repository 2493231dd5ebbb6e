"""Proofs of single records and of growth: ``evidence prove|check-proof|policy``."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from core import durable
from core.ledger import checkpoint, trustpolicy
from core.ledger import proof as tlog
from core.ledger.entry import JsonValue
from deploy.cli.output import AsJson, connect, print_thing, say
from deploy.file import check_target, read_bytes, read_text


def install(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(prove)
    app.command("check-proof")(check_proof)
    app.command()(policy)


def prove(
    wanted: Annotated[str, typer.Argument(metavar="[RECORD|NUMBER]", help="A record's number or id.")] = "",
    out: Annotated[Path, typer.Option(help="Where to write the proof.")] = Path("record.tlog-proof"),
    since: Annotated[int | None, typer.Option(min=0, help="Prove instead that the log of this size only grew.")] = None,
) -> None:
    """Prove one record by a small file that verifies offline (C2SP tlog-proof), or that nothing before was changed.

    The file carries the record, its path in the tree and the signed checkpoint: check it with `guosuo evidence
    check-proof` or `guosuo-vouch`. With --since SIZE the file proves that the newest checkpoint continues that log.
    """
    if (since is None) == (not wanted):
        raise typer.BadParameter("give a record, or --since SIZE")
    check_target(out)
    with connect() as client:
        if since is None:
            response = client.download(f"/api/v1/evidence/{quote(wanted, safe='')}/proof")
        else:
            response = client.download(f"/api/v1/evidence/consistency?since={since}")
    durable.write(out, response.content, mode=0o644)
    say(f"written: {out} ({len(response.content)} octets)")


def check_proof(
    file: Annotated[Path, typer.Argument(help="A .tlog-proof that carries its record.")],
    key: Annotated[str, typer.Option(help="The log's verifier key, `name+hash+key` or a file of it.")] = "",
    policy_file: Annotated[Path | None, typer.Option("--policy", help="A tlog-policy, instead of a key.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a record's proof offline: signature, path and, with a policy, the witnesses' quorum."""
    if bool(key) == (policy_file is not None):
        raise typer.BadParameter("give --key or --policy")
    parsed = tlog.parse_record_proof(read_bytes(file))
    cosigned: list[bytes] = []
    if policy_file is not None:
        rules = trustpolicy.parse_policy(read_bytes(policy_file))
        cosigned = rules.verify(parsed.note)
        verifier = rules.key_of(parsed.note)
    else:
        text = read_text(Path(key)) if Path(key).is_file() else key
        verifier = checkpoint.parse_verifier_key(text.strip())
    parsed.verify(verifier)
    signed = checkpoint.parse_checkpoint(parsed.note)
    print_thing(
        {
            "verified": True,
            "origin": signed.origin,
            "number": parsed.index,
            "size": signed.size,
            "root": signed.root.hex(),
            "cosigned by": [_name(name) for name in cosigned],
            "record": parsed.record.decode(errors="backslashreplace"),
        },
        as_json=as_json,
    )


def policy(
    file: Annotated[Path, typer.Argument(help="A trust policy (C2SP tlog-policy).")],
    note: Annotated[Path | None, typer.Option("--checkpoint", help="Evaluate the policy for this checkpoint.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read a trust policy and say what it asks; with --checkpoint, whether that checkpoint is to be believed."""
    rules = trustpolicy.parse_policy(read_bytes(file))
    shown: dict[str, JsonValue] = {
        "logs": [log.key.name for log in rules.logs],
        "witnesses": [f"{_name(one.name)}: {one.key.name} {one.url}".rstrip() for one in rules.witnesses.values()],
        "groups": [
            f"{_name(name)}: {group.threshold} of {', '.join(map(_name, group.members))}"
            for name, group in rules.groups.items()
        ],
        "quorum": _name(rules.quorum),
    }
    if note is not None:
        shown["cosigned by"] = [_name(name) for name in rules.verify(read_bytes(note))]
        shown["believed"] = True
    print_thing(shown, as_json=as_json)


def _name(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
