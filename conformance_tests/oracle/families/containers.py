"""Valid files: arrays, maps, the order of keys, and depth.

Spec: CKPT-CANON-001, CKPT-CANON-002, CKPT-LIM-001.
"""

from tenuto.conformance_tests.oracle.tree import Tree, make
from tenuto.conformance_tests.oracle.vector import Vector, valid


def arrays(levels: int, inside: Tree = 7) -> Tree:
    """That many arrays inside one another."""
    tree = inside
    for _ in range(levels):
        tree = [tree]
    return tree


def maps(levels: int, inside: Tree = 7) -> Tree:
    """That many maps inside one another."""
    tree = inside
    for _ in range(levels):
        tree = {"k": tree}
    return tree


def counted(count: int) -> dict[str, Tree]:
    """A map of that many pairs."""
    return {f"k{index:05}": None for index in range(count)}


def sizes() -> list[Vector]:
    """Counts at the boundaries of the headers."""
    shapes: list[Tree] = [[], [None], [None] * 15, [None] * 16]
    nested: list[Tree] = [counted(0), counted(1), counted(15), counted(16)]
    return [
        valid(60, "arrays of 0, 1, 15 and 16", "VAL-001 CANON-001", make(model_state=shapes)),
        valid(61, "maps of 0, 1, 15 and 16", "VAL-001 CANON-001", make(model_state=nested)),
        valid(62, "an array and a map of 300", "CANON-001", make(model_state=[[True] * 300, counted(300)])),
        valid(
            63, "an empty array beside an empty map", "VAL-001", make(model_state=[], trainer_state={"a": [], "b": {}})
        ),
    ]


def orders() -> list[Vector]:
    """Keys whose order depends on the rule that sorts them."""
    prefixes: dict[str, Tree] = {
        key: index for index, key in enumerate(["", "a", "a\x00", "a ", "aa", "B", "b", "10", "9", "\xe9", "z", "Z"])
    }
    return [
        valid(
            70,
            "keys in UTF-8 order, not in UTF-16 order",
            "CANON-002",
            make(model_state={"\uffff": 1, "\U00010000": 2, "\ue000": 3, "a": 4}),
        ),
        valid(
            71,
            "keys in UTF-8 order, not shorter ones first",
            "CANON-002",
            make(model_state={"b": 1, "aa": 2, "aaa": 3, "c": 4, "a" * 32: 5}),
        ),
        valid(72, "the empty key, prefixes, capitals, digits", "CANON-002", make(model_state=prefixes)),
        valid(
            73,
            "names of optimizers and schedulers are sorted as well",
            "CANON-002",
            make(
                optimizer_state={"b": {"lr": 0.1}, "a": {"lr": 0.2, "betas": [0.9, 0.999]}, "B": None},
                scheduler_state={"warmup": {"step": 3}, "cosine": {"step": 4}},
            ),
        ),
    ]


def depths() -> list[Vector]:
    """Nesting up to the limit."""
    mixed: Tree = {"a": [{"b": [{"c": [[], {}, None]}]}], "d": arrays(10, {"e": maps(5)})}
    return [
        valid(80, "arrays 32 deep", "LIM-001", make(model_state=arrays(31))),
        valid(81, "maps 32 deep", "LIM-001", make(trainer_state=maps(31))),
        valid(82, "empty containers at depth 32", "LIM-001", make(model_state=[arrays(29, []), maps(29, {})])),
        valid(83, "mixed nesting", "VAL-001", make(model_state=mixed)),
        valid(
            84,
            "depth does not add up over siblings",
            "LIM-001",
            make(model_state=[arrays(20) for _ in range(12)], trainer_state=arrays(31)),
        ),
    ]


def vectors() -> list[Vector]:
    """All vectors of this family."""
    return sizes() + orders() + depths()
