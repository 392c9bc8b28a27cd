"""Writes the vectors of the specification: `python -m tenuto.conformance_tests.oracle.make_vectors`.

The files are a pure function of the oracle, so a run that changes a committed file is a change of the contract.

Spec: section 7 of 90-conformance.md.
"""

import sys
from importlib import resources
from pathlib import Path

from tenuto.conformance_tests.oracle.families import (
    compressed,
    containers,
    forms,
    framing,
    kinds,
    opening,
    pairs,
    scalars,
    scan,
    tensors,
    toplevel,
)
from tenuto.conformance_tests.oracle.vector import FOLDERS, Vector

FAMILIES = (toplevel, scalars, containers, tensors, forms, opening, scan, kinds, framing, pairs, compressed)


def all_vectors() -> list[Vector]:
    """Every committed vector in the order of ids; raises ValueError if an id occurs twice."""
    found = [vector for family in FAMILIES for vector in family.vectors()]
    ids = [vector.id for vector in found]
    repeated = sorted({one for one in ids if ids.count(one) > 1})
    if repeated:
        msg = f"ids of vectors: {repeated}; expected each once"
        raise ValueError(msg)
    return sorted(found, key=lambda vector: vector.id)


def all_files() -> dict[str, bytes]:
    """The committed files by their paths below `ckpt/`."""
    return {name: data for vector in all_vectors() for name, data in vector.files().items()}


def write(folder: Path) -> int:
    """Write all files below `folder`, remove those that no vector has, and say how many there are."""
    files = all_files()
    for name in FOLDERS.values():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for path in (folder / name).iterdir():
            if f"{name}/{path.name}" not in files:
                path.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return len(files)


def main() -> None:
    """Write the vectors into the specification that this package is installed with."""
    folder = Path(str(resources.files("tenuto"))) / "spec" / "v1" / "vectors" / "ckpt"
    sys.stderr.write(f"{write(folder)} files below {folder.name}/\n")


if __name__ == "__main__":
    main()
