"""The ledger against vectors of a second, independent implementation (``tests/vectors/ledger``)."""

import base64
import json
import os
from hashlib import sha256
from pathlib import Path
from typing import NotRequired, TypedDict

import pytest

import guosuo_verify
from core.ledger import checkpoint, merkle, tiles
from core.ledger.errors import BadProof
from tests.core.ledger.keys import MemoryCheckpointSigner
from tests.vectors.ledger import build

PATH = Path(build.__file__).with_name("vectors.json")


class Tree(TypedDict):
    size: int
    root: str
    checkpoint: str
    inclusion: dict[str, list[str]]
    consistency: dict[str, list[str]]
    tiles: dict[str, str]


class Vectors(TypedDict):
    vkey: str
    indices: dict[str, str]
    trees: list[Tree]


VECTORS: Vectors = json.loads(PATH.read_text(encoding="utf-8"))
TREES = pytest.mark.parametrize("tree", VECTORS["trees"], ids=lambda tree: str(tree["size"]))


def hashes(values: list[str]) -> list[bytes]:
    return [base64.b64decode(value) for value in values]


def leaves(size: int) -> list[bytes]:
    return [merkle.leaf_hash(build.entry(number)) for number in range(size)]


def test_the_vectors_are_what_their_script_makes() -> None:
    assert build.build() == VECTORS


@TREES
def test_roots_and_proofs(tree: Tree) -> None:
    size, root, all_leaves = tree["size"], base64.b64decode(tree["root"]), leaves(tree["size"])
    assert merkle.root_hash(all_leaves) == root
    assert guosuo_verify.roots_at(all_leaves, [size]) == {size: root}
    for number, proof in tree["inclusion"].items():
        index = int(number)
        assert merkle.inclusion_proof(all_leaves, index) == hashes(proof)
        merkle.verify_inclusion(index=index, size=size, leaf=all_leaves[index], proof=hashes(proof), root=root)
    for number, proof in tree["consistency"].items():
        old = merkle.root_hash(all_leaves[: int(number)])
        assert merkle.consistency_proof(all_leaves, int(number)) == hashes(proof)
        merkle.verify_consistency(size1=int(number), size2=size, proof=hashes(proof), root1=old, root2=root)


@TREES
def test_proofs_of_other_sizes_are_refused(tree: Tree) -> None:
    size, root, all_leaves = tree["size"], base64.b64decode(tree["root"]), leaves(tree["size"])
    for number, proof in tree["consistency"].items():
        other = merkle.root_hash(leaves(int(number) + 1))
        if int(number) < size:
            with pytest.raises(BadProof):
                merkle.verify_consistency(
                    size1=int(number) + 1, size2=size + 1, proof=hashes(proof), root1=other, root2=root
                )
    for number, proof in tree["inclusion"].items():
        with pytest.raises(BadProof):
            merkle.verify_inclusion(
                index=int(number), size=size, leaf=merkle.leaf_hash(b"other"), proof=hashes(proof), root=root
            )
    assert len(all_leaves) == size


@TREES
def test_tiles(tree: Tree) -> None:
    grown = tiles.TileTree()
    for number in range(tree["size"]):
        grown.append(build.entry(number))
    made = {**grown.take_complete(), **grown.incomplete()}
    assert {name: sha256(content).hexdigest() for name, content in made.items()} == tree["tiles"]
    assert sorted(guosuo_verify.expected_tiles(tree["size"])) == sorted(tree["tiles"])


@TREES
def test_checkpoints(tree: Tree) -> None:
    key = checkpoint.parse_verifier_key(VECTORS["vkey"])
    note = tree["checkpoint"].encode()
    checkpoint.verify_checkpoint(note, key)
    assert checkpoint.parse_checkpoint(note) == checkpoint.Checkpoint(
        key.name, tree["size"], base64.b64decode(tree["root"])
    )
    opened = guosuo_verify.open_note(note, guosuo_verify.parse_key(VECTORS["vkey"].encode()))
    assert opened == guosuo_verify.Signed(tree["size"], base64.b64decode(tree["root"]))
    signer = MemoryCheckpointSigner(b"guosuo vectors")
    assert checkpoint.sign_checkpoint(checkpoint.parse_checkpoint(note), signer) == note


@pytest.mark.parametrize(("index", "path"), VECTORS["indices"].items())
def test_names_of_tiles(index: str, path: str) -> None:
    assert tiles.tile_path(0, int(index)) == guosuo_verify.tile_name(0, int(index)) == f"tile/0/{path}"


class Inclusion(TypedDict):
    leafIdx: int
    treeSize: int
    root: str | None
    leafHash: str | None
    proof: list[str] | None
    wantErr: bool


class Consistency(TypedDict):
    size1: int
    size2: int
    root1: str | None
    root2: str | None
    proof: list[str] | None
    wantErr: bool


class Proofs(TypedDict):
    inclusion: dict[str, Inclusion]
    consistency: dict[str, Consistency]
    note: NotRequired[str]


def shared() -> Path:
    """Vectors of transparency-dev/merkle, kept beside the sources; a place that is named must hold them."""
    named = os.environ.get("GUOSUO_SHARED")
    return Path(named) if named else Path(__file__).parents[4] / "shared"


def is_inclusion(case: Inclusion) -> bool:
    try:
        merkle.verify_inclusion(
            index=case["leafIdx"],
            size=case["treeSize"],
            leaf=base64.b64decode(case["leafHash"] or ""),
            proof=hashes(case["proof"] or []),
            root=base64.b64decode(case["root"] or ""),
        )
    except BadProof:
        return False
    return True


def is_consistency(case: Consistency) -> bool:
    try:
        merkle.verify_consistency(
            size1=case["size1"],
            size2=case["size2"],
            proof=hashes(case["proof"] or []),
            root1=base64.b64decode(case["root1"] or ""),
            root2=base64.b64decode(case["root2"] or ""),
        )
    except BadProof:
        return False
    return True


@pytest.mark.skipif(
    "GUOSUO_SHARED" not in os.environ and not (shared() / "data").is_dir(),
    reason="the shared vectors are not kept beside these sources (GUOSUO_SHARED names their place)",
)
def test_every_vector_of_the_reference_library() -> None:
    """196 of 196, by the library's own verdicts: it refuses size1 = 0 too."""
    proofs: Proofs = json.loads((shared() / "data/merkle/proofs.json").read_text(encoding="utf-8"))
    inclusion = {name: (is_inclusion(case), not case["wantErr"]) for name, case in proofs["inclusion"].items()}
    consistency = {name: (is_consistency(case), not case["wantErr"]) for name, case in proofs["consistency"].items()}
    assert (len(inclusion), len(consistency)) == (98, 98)
    together = {**{f"i/{k}": v for k, v in inclusion.items()}, **{f"c/{k}": v for k, v in consistency.items()}}
    assert {name: pair for name, pair in together.items() if pair[0] != pair[1]} == {}
    assert sum(ours == theirs for ours, theirs in together.values()) == 196
    assert {case["wantErr"] for case in proofs["consistency"].values() if case["size1"] == 0} == {True}
