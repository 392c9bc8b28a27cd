"""The parts of a state that a restore takes over or leaves: read into plain values, and told apart."""

from tenuto.reference.checkpoint.tree import Document, Tensor

GROUPS = ("model_state", "optimizer_state", "scheduler_state", "rng_state", "callback_state", "trainer_state")


def plain(tree):
    """Returns a tree with tensors that compare by their data."""
    if isinstance(tree, Tensor):
        return tree.dtype, tree.shape, bytes(tree.data)
    if isinstance(tree, dict):
        return {name: plain(part) for name, part in tree.items()}
    return [plain(part) for part in tree] if isinstance(tree, list) else tree


def parts_of(state):
    """Returns each part of a state by its path."""
    head = state.head
    metadata = head["metadata"]
    named = {f"{group}.{name}": plain(part) for group in GROUPS for name, part in head[group].items()}
    return {**named, "metadata.progress": metadata["progress"], "metadata.metrics": metadata["metrics"]}


def taken_and_left(saved, before, after):
    """Returns the parts that are as in the file, and those that are as they were before.

    All other parts would be a mixture, which fails here; parts that are equal on both sides are in neither.
    """
    saved, before, after = parts_of(saved), parts_of(before), parts_of(after)
    telling = {path for path in saved | before if saved.get(path) != before.get(path)}
    taken = {path for path in telling if after.get(path) == saved.get(path)}
    left = {path for path in telling if after.get(path) == before.get(path)}
    assert taken | left == telling, f"neither as saved nor as before: {sorted(telling - taken - left)}"
    assert after.keys() <= saved.keys() | before.keys()
    return taken, left


def changed(state, *changes):
    """Returns a state with other values at some paths, each a tuple of keys; `None` leaves the key out."""
    head = state.head
    for path, value in changes:
        head = _changed(head, path, value)
    return Document(head)


def _changed(tree, path, value):
    first, *rest = path
    copy = dict(tree)
    if rest:
        copy[first] = _changed(tree[first], rest, value)
    elif value is None:
        del copy[first]
    else:
        copy[first] = value
    return copy
