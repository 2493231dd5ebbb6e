"""The Merkle tree of RFC 6962 and RFC 9162, over SHA-256: hashes, a growing tree, proofs and their verification.

Pure: functions of values. Sizes and indices are non-negative integers, hashes 32 octets.
"""

from collections.abc import Sequence
from hashlib import sha256

from core.ledger.errors import BadProof

#: The root of the tree without leaves (RFC 9162, 2.1.1).
EMPTY_ROOT = sha256(b"").digest()

HASH_OCTETS = 32


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf; the prefix keeps leaves and nodes apart (RFC 9162, 2.1.1)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The least that must be kept of a tree to let it grow: the roots of its perfect subtrees, largest first."""

    def __init__(self) -> None:
        """Begin with the empty tree."""
        self.size = 0
        # INVARIANT: one node for each 1 in the binary form of `size`, from the left.
        self._nodes: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        self.append_perfect(leaf, 1)

    def append_perfect(self, root: bytes, size: int) -> None:
        """Add the root of a perfect subtree over the next ``size`` leaves, of whose size ours is a multiple."""
        node, rest = root, self.size // size
        while rest & 1:
            node = node_hash(self._nodes.pop(), node)
            rest >>= 1
        self._nodes.append(node)
        self.size += size

    def root(self) -> bytes:
        """Return the root of the tree as it is now."""
        if not self._nodes:
            return EMPTY_ROOT
        root = self._nodes[-1]
        for node in reversed(self._nodes[:-1]):
            root = node_hash(node, root)
        return root


def root_hash(leaves: Sequence[bytes]) -> bytes:
    """Return the root over the hashes of all leaves."""
    tree = CompactRange()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of leaf ``index`` in the tree over ``leaves`` (RFC 9162, 2.1.3.1).

    Raises ``BadProof`` when there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise BadProof(f"a tree of {len(leaves)} records has no record {index}")
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(leaves[:split], index), root_hash(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), root_hash(leaves[:split])]


def consistency_proof(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """Prove that the tree over ``leaves`` begins with its first ``size`` leaves (RFC 9162, 2.1.4.1).

    Raises ``BadProof`` for a size of 0, which would prove nothing, or one beyond the tree.
    """
    if not 0 < size <= len(leaves):
        raise BadProof(f"no consistency can be proved from size {size} to size {len(leaves)}")
    return _subproof(leaves, size, whole=True)


def _subproof(leaves: Sequence[bytes], size: int, *, whole: bool) -> list[bytes]:
    if size == len(leaves):
        return [] if whole else [root_hash(leaves)]
    split = _split(len(leaves))
    if size <= split:
        return [*_subproof(leaves[:split], size, whole=whole), root_hash(leaves[split:])]
    return [*_subproof(leaves[split:], size - split, whole=False), root_hash(leaves[:split])]


def _split(size: int) -> int:
    """Return the largest power of two smaller than ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def verify_inclusion(*, index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Verify that ``leaf`` is leaf ``index`` of the tree of ``size`` with ``root`` (RFC 9162, 2.1.3.2).

    Raises ``BadProof``.
    """
    if not 0 <= index < size:
        raise BadProof(f"a tree of {size} records has no record {index}")
    _check_lengths(leaf, root, *proof)
    position, last, node = index, size - 1, leaf
    for step in proof:
        if last == 0:
            raise BadProof("the inclusion proof is longer than the tree is high")
        if position & 1 or position == last:
            node = node_hash(step, node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, step)
        position, last = position >> 1, last >> 1
    if last != 0 or node != root:
        raise BadProof(f"record {index} is not in the tree of size {size} with this root")


def verify_consistency(*, size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> None:
    """Verify that the tree of ``size2`` begins with the tree of ``size1`` (RFC 9162, 2.1.4.2). Raises ``BadProof``.

    A ``size1`` of 0 is refused: every tree begins with the empty one, so such a proof says nothing.
    """
    if not 0 < size1 <= size2:
        raise BadProof(f"no consistency can be proved from size {size1} to size {size2}")
    if size1 == size2:
        if proof or root1 != root2:
            raise BadProof(f"two trees of size {size1} have different roots, or the proof is too long")
        return
    _check_lengths(root1, root2, *proof)
    # 1. A size1 that is a power of two is itself the first node of the path.
    path = [root1, *proof] if size1 & (size1 - 1) == 0 else list(proof)
    if not path:
        raise BadProof("the consistency proof is empty")
    # 2. Climb above the common perfect subtree.
    position, last = size1 - 1, size2 - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    # 3. Rebuild both roots at once.
    old = new = path[0]
    for step in path[1:]:
        if last == 0:
            raise BadProof("the consistency proof is longer than the tree is high")
        if position & 1 or position == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, step)
        position, last = position >> 1, last >> 1
    # 4. Both must come out, with the whole height used.
    if last != 0 or old != root1 or new != root2:
        raise BadProof(f"the tree of size {size2} does not begin with the tree of size {size1}")


def _check_lengths(*hashes: bytes) -> None:
    if any(len(value) != HASH_OCTETS for value in hashes):
        raise BadProof(f"a hash does not have {HASH_OCTETS} octets")
