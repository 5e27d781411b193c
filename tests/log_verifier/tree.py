"""The Merkle tree of RFC 6962: its root as it grows, and proofs (RFC 9162, 2.1.3.2 and 2.1.4.2)."""

import hashlib


def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


class Frontier:
    """The right edge of a tree: the roots of its whole parts, one for each bit of its size."""

    def __init__(self):
        self.size, self.nodes = 0, []

    def push(self, leaf):
        ones = self.size
        while ones & 1:
            leaf = node_hash(self.nodes.pop(), leaf)
            ones >>= 1
        self.nodes.append(leaf)
        self.size += 1

    def root(self):
        if not self.nodes:
            return hashlib.sha256(b"").digest()
        right, *lefts = reversed(self.nodes)
        for left in lefts:
            right = node_hash(left, right)
        return right


def verify_inclusion(leaf, index, size, proof, root):
    """Whether leaf `index` of the tree of `size` leaves is this one."""
    if not 0 <= index < size:
        return False
    node, last, hash_ = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            hash_ = node_hash(sibling, hash_)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            hash_ = node_hash(hash_, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and hash_ == root


def verify_consistency(old_size, old_root, new_size, new_root, proof):
    """Whether the tree of `old_size` leaves is a prefix of the one of `new_size`."""
    if old_size > new_size:
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    if old_size == 0:
        return not proof and old_root == hashlib.sha256(b"").digest()
    proof = list(proof)
    if old_size & old_size - 1 == 0:
        proof.insert(0, old_root)
    if not proof:
        return False
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    from_old = from_new = proof[0]
    for sibling in proof[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            from_old, from_new = node_hash(sibling, from_old), node_hash(sibling, from_new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            from_new = node_hash(from_new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and (from_old, from_new) == (old_root, new_root)
