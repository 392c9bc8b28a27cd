"""Takes one fsync out of the save protocol, in three places, and shows what is found. `make torture-show` runs it.

Other faults of `mutants.py` are shown by their ids: `python tests/crash/show.py "cache is not dropped"`.
"""

from __future__ import annotations

import sys
from pathlib import Path

THREE = ("file is not synced", "folder is not synced", "new folder is not synced")


def main(wanted):
    """Prints what is changed and what is found; returns how many faults are not found."""
    from crash.hunt import by_crashes, hunt
    from crash.mutants import MUTANTS

    print(f"the protocol as it is: {by_crashes('links') or 'nothing is found'}\n")  # noqa: T201 - it is to be read
    known, missed = {one.id: one for one in MUTANTS}, 0
    for name in wanted:
        mutant = known[name]
        breach = hunt(mutant)
        missed += breach is None
        lines = (name, f"  in {mutant.where}", *(f"  - {line}" for line in mutant.old.strip().splitlines()))
        lines += (*(f"  + {line}" for line in mutant.new.strip().splitlines()), f"  lane {mutant.lane}: {breach}\n")
        print("\n".join(lines))  # noqa: T201 - it is to be read
    return missed


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main(sys.argv[1:] or THREE))
