import base64
import json
import os
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ledger import merkle
from core.ledger.errors import BadProof

LEAVES = [merkle.leaf_hash(str(number).encode()) for number in range(400)]


def mth(leaves: list[bytes]) -> bytes:
    """The definition in RFC 9162, 2.1.1."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + mth(leaves[:split]) + mth(leaves[split:])).digest()


def test_root_of_every_size() -> None:
    tree = merkle.CompactRange()
    for size in range(300):
        assert tree.root() == mth(LEAVES[:size])
        tree.append(LEAVES[size])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_every_inclusion_proof_verifies_and_no_other(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 400))
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(LEAVES[:size], index)
    root = merkle.root_hash(LEAVES[:size])
    merkle.verify_inclusion(index=index, size=size, leaf=LEAVES[index], proof=proof, root=root)
    wrong = data.draw(st.integers(0, size + 1).filter(lambda other: other != index))
    with pytest.raises(BadProof):
        merkle.verify_inclusion(index=wrong, size=size, leaf=LEAVES[index], proof=proof, root=root)
    with pytest.raises(BadProof):
        merkle.verify_inclusion(index=index, size=size, leaf=LEAVES[index], proof=[*proof, root], root=root)
    if proof:
        bent = list(proof)
        bent[data.draw(st.integers(0, len(proof) - 1))] = sha256(b"bent").digest()
        with pytest.raises(BadProof):
            merkle.verify_inclusion(index=index, size=size, leaf=LEAVES[index], proof=bent, root=root)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_every_consistency_proof_verifies_and_no_other(data: st.DataObject) -> None:
    size2 = data.draw(st.integers(1, 400))
    size1 = data.draw(st.integers(1, size2))
    proof = merkle.consistency_proof(LEAVES[:size2], size1)
    roots = {"root1": merkle.root_hash(LEAVES[:size1]), "root2": merkle.root_hash(LEAVES[:size2])}
    merkle.verify_consistency(size1=size1, size2=size2, proof=proof, **roots)
    with pytest.raises(BadProof):
        merkle.verify_consistency(size1=size1, size2=size2, proof=[*proof, LEAVES[0]], **roots)
    fork = {**roots, "root1": sha256(b"fork").digest()}
    with pytest.raises(BadProof):
        merkle.verify_consistency(size1=size1, size2=size2, proof=proof, **fork)
    if proof:
        with pytest.raises(BadProof):
            merkle.verify_consistency(size1=size1, size2=size2, proof=proof[:-1], **roots)


@pytest.mark.parametrize("size1", [0, -1, 4])
def test_consistency_from_nothing_or_from_beyond_is_refused(size1: int) -> None:
    with pytest.raises(BadProof, match="no consistency"):
        merkle.consistency_proof(LEAVES[:3], size1)
    with pytest.raises(BadProof, match="no consistency"):
        merkle.verify_consistency(size1=size1, size2=3, proof=[], root1=mth([]), root2=mth(LEAVES[:3]))


@pytest.mark.parametrize("index", [-1, 3])
def test_inclusion_of_a_record_that_is_not_there_is_refused(index: int) -> None:
    with pytest.raises(BadProof, match="has no record"):
        merkle.inclusion_proof(LEAVES[:3], index)


def _vectors() -> Path:
    """The public vectors of transparency-dev/merkle, kept outside the product."""
    shared = os.environ.get("GUOSUO_SHARED")
    folder = Path(shared) if shared else Path(__file__).parents[4] / "shared"
    path = folder / "data" / "merkle" / "proofs.json"
    if not path.exists() and not shared:
        pytest.skip(f"NOT RUN: the vectors of transparency-dev/merkle are not at {path}; set GUOSUO_SHARED")
    return path


def _bytes(values: list[str] | None) -> list[bytes]:
    return [base64.b64decode(value) for value in values or []]


def test_inclusion_vectors() -> None:
    vectors = json.loads(_vectors().read_text())["inclusion"]
    assert len(vectors) == 98
    for name, vector in vectors.items():
        verdict = _refused(
            merkle.verify_inclusion,
            index=vector["leafIdx"],
            size=vector["treeSize"],
            leaf=base64.b64decode(vector["leafHash"]),
            proof=_bytes(vector["proof"]),
            root=base64.b64decode(vector["root"]),
        )
        assert verdict == vector["wantErr"], name


def test_consistency_vectors() -> None:
    vectors = json.loads(_vectors().read_text())["consistency"]
    assert len(vectors) == 98
    for name, vector in vectors.items():
        verdict = _refused(
            merkle.verify_consistency,
            size1=vector["size1"],
            size2=vector["size2"],
            proof=_bytes(vector["proof"]),
            root1=base64.b64decode(vector["root1"]),
            root2=base64.b64decode(vector["root2"]),
        )
        assert verdict == vector["wantErr"], name


def _refused(verify: object, **arguments: object) -> bool:
    assert callable(verify)
    try:
        verify(**arguments)
    except BadProof:
        return True
    return False
