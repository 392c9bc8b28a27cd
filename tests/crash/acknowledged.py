"""What a killed process had promised: kept by the process that killed it, compared with what is on the disk."""

import os

from crash.dying import digest_of
from tenuto.reference.checkpoint.files import verify_checkpoint
from tenuto.reference.checkpoint.ledger import read_entry, read_ledger
from tenuto.reference.checkpoint.newest import find_latest_checkpoint
from tenuto.reference.errors import CheckpointError

NOTHING = ""  # in place of a digest: no file has the name


class Acknowledged:
    """Follows the files of one folder through the words of `Dying`.

    Attributes:
        last: Digests of which one has to be there: of the save acknowledged last, and of any that was taking its name.
    """

    def __init__(self):
        self.possible = {}  # name -> digests of what it may lead to
        self.last = set()

    def hear(self, word, name, digest):
        """Takes one word of `Dying`."""
        before = self.possible.setdefault(name, {NOTHING})
        if word == "saving" and before & self.last:
            self.last.add(digest)  # of the same state: it has the same name
        if word in {"may", "saving"}:
            before.add(digest)
            return
        self.possible[name] = {digest}
        if word == "saved":
            self.last = {digest}

    def breaches(self, folder):
        """Returns what is wrong with a folder, as sentences; a kill may have been at any moment."""
        paths = {name: os.path.join(folder, name) for name in _checkpoints(folder)}
        wrong = [f"{name}: leads nowhere" for name, path in paths.items() if not os.path.exists(path)]
        found = {name: digest_of(path) for name, path in paths.items() if os.path.exists(path)}
        wrong += [
            f"{name}: {found.get(name, NOTHING) or 'no file'}; expected one of {sorted(digests)}"
            for name, digests in self.possible.items()
            if found.get(name, NOTHING) not in digests and not os.path.islink(os.path.join(folder, name))
        ]  # a symbolic link goes with the file that it names, when that is replaced
        wrong += [f"{name}: of no save" for name in found.keys() - self.possible.keys()]
        # What a kill left is what happened: a later life starts from it, with nothing in flight.
        self.possible = {name: {digest} for name, digest in found.items()}
        return wrong + self._lost(folder, found)

    def _lost(self, folder, found):
        """The last acknowledged save lies somewhere, and what a resume chooses is that state or a later one."""
        names = [name for name, digest in found.items() if digest in self.last]
        if not self.last:
            return []
        if not names:
            return [f"the last acknowledged save, one of {sorted(self.last)}, is in no file"]
        newest = find_latest_checkpoint(folder)
        if newest is None:
            return ["nothing to resume from"]
        chosen, promised = (read_entry(folder, name) for name in (os.path.relpath(newest, folder), names[0]))
        counts = promised.is_exact and promised.is_full  # a resume passes over others
        if counts and (chosen.attempt, chosen.position) < (promised.attempt, promised.position):
            return [f"{chosen.name} is chosen, which is older than {promised.name}"]
        return []


def damaged(folder):
    """Returns every checkpoint of a folder that is not whole."""
    return [name for name in _checkpoints(folder) if not _is_whole(os.path.join(folder, name))]


def _is_whole(path):
    try:
        return verify_checkpoint(path).is_canonical
    except CheckpointError:
        return False


def temporaries(folder):
    """Returns the temporary files of the run that saved in a folder.

    A run that was killed in its very first save leaves one that no later attempt knows: the next start is another run,
    which leaves alone what is not its own (STORE-SAVE-009).
    """
    own = tuple(f".{run_id}." for run_id in read_ledger(str(folder)).run_ids())
    return [name for name in os.listdir(folder) if name.startswith(own) and name.endswith(".tmp")]


def _checkpoints(folder):
    below = (os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return sorted(os.path.relpath(path, folder) for path in below if path.endswith(".ckpt"))
