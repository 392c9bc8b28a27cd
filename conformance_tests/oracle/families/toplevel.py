"""Valid files: the top level, unknown keys, newer minor versions, metadata.

Spec: CKPT-FILE-002, CKPT-FILE-003, CKPT-FILE-004, CKPT-FILE-005, CKPT-VER-001, CKPT-CANON-006.
"""

from attrs import evolve

from tenuto.conformance_tests.oracle.tree import Tree, filled, make
from tenuto.conformance_tests.oracle.vector import Vector, valid

ORIGIN: dict[str, Tree] = {"host": "node-7", "time": 1700000000, "wall_seconds": 12.5, "producer": "example 0.1"}


def basics() -> list[Vector]:
    """Small files and a usual one."""
    usual = make(
        metadata={"origin": ORIGIN, "progress": {"epoch": 3, "batch": 0, "step": 1200}, "monitor": "val_loss"},
        model_state={"layer.weight": filled("float32", 2, 3), "layer.bias": filled("float32", 2, seed=2)},
        optimizer_state={"adam": {"step": 1200, "exp_avg": filled("float32", 2, 3, seed=3), "lr": 0.001}},
        scheduler_state={"cosine": {"last_epoch": 3}},
        rng_state={"python": [3, [1, 2, 3], None], "torch": filled("uint8", 16, seed=4)},
        callback_state={"EarlyStopping": {"best": 0.25, "wait": 2}},
        trainer_state={"stopped": False},
    )
    return [
        valid(1, "the smallest file", "FILE-001 FILE-002 FRAME-001 FRAME-002 FRAME-003", make()),
        valid(2, "a usual file", "FILE-002 FILE-003 CANON-005", usual),
        valid(3, "nil is a tree", "FILE-002 VAL-001", make(model_state=None, trainer_state=None)),
        valid(4, "arrays and scalars are trees", "FILE-002 VAL-001", make(model_state=[1, [2]], trainer_state="s")),
    ]


def unknown_keys() -> list[Vector]:
    """Keys beyond the twelve."""
    extra: dict[str, Tree] = {f"x{index}": index for index in range(4)}
    later = make(version="1.1", later={"a": 1}, metadata={"later": [2], "origin": {"later": "c"}})
    everywhere = valid(169, "keys of a later version, in metadata and its origin too", "FILE-004 FILE-005", later)
    return [
        valid(160, "an unknown key", "FILE-004 FILE-005", make(zz_future={"a": [1, None]})),
        valid(
            161,
            "unknown keys that sort before the known ones come after them",
            "FILE-003 FILE-004 FILE-005",
            make(a=1, Z=2, **{"\uffff": 3, "\U00010000": 4}),
        ),
        valid(
            162,
            "a newer minor version with more keys",
            "VER-001 FILE-004 FILE-005",
            make(version="1.7", data_state={"shard": 3}, sampler=filled("int64", 4)),
        ),
        valid(163, "a minor version beyond 64 bits", "VER-001 FILE-005", make(version="1.18446744073709551616")),
        valid(164, "a version of 32 bytes", "VER-001 FILE-005", make(version="1." + "9" * 30)),
        valid(165, "15 pairs at the top level", "CANON-001 FILE-004", make(**dict(list(extra.items())[:3]))),
        valid(166, "16 pairs at the top level, so a map16", "CANON-001 FILE-004", make(**extra)),
        valid(
            167,
            "unknown keys that resemble known ones",
            "FILE-004 FILE-005",
            make(**{"": 1, "segment": 2, "trailers": 3, "Version": 4, "segments ": 5, "model_state\x00": 6}),
        ),
        valid(168, "version 1.1", "VER-001", make(version="1.1")),
        evolve(everywhere, req=(*everywhere.req, "GEN-VER-002")),
    ]


def metadata() -> list[Vector]:
    """Contents of `metadata`."""
    nested: Tree = {"origin": {"run": {"id": b"\x01\x02", "tags": ["a", "b"]}, "pid": 4242}, "seed": 17}
    return [
        valid(
            170,
            "metadata with several entries around origin",
            "FILE-002 CANON-006",
            make(metadata={"a": 1, "origin": ORIGIN, "progress": {"step": 5}, "z": [None, True, 0.5, b"x"]}),
        ),
        valid(
            171,
            "an origin whose removal moves the segments",
            "CANON-006 SEG-003",
            make(metadata=nested, model_state=[filled("uint8", 70), filled("uint8", 5, seed=9)]),
        ),
        valid(
            172,
            "a key origin elsewhere is an ordinary key",
            "CANON-006",
            make(metadata={"inner": {"origin": {"a": 1}}, "origin": {"b": 2}}, trainer_state={"origin": {"c": 3}}),
        ),
    ]


def vectors() -> list[Vector]:
    """All vectors of this family."""
    return basics() + unknown_keys() + metadata()
