"""What may be on a disk after a crash: a log of operations, cut at any point, under two models.

`ordered` (M1): changes of folders become durable in their order, and all of them at the next sync of anything, as with
journal. `weak` (M2): what POSIX allows: each change of a folder since that folder was last synced is there or is not.
Under both, what was written to a file since its last sync is there, or is not, or is something else.
"""

from __future__ import annotations

import itertools
import math
import os
import random
from functools import lru_cache
from hashlib import blake2b

from attrs import frozen

BLOCK = 512
FOLDER = "folder"
SUBSETS_MAX, MIXES_MAX = 256, 64  # a protocol that syncs stays far below; without syncs there is no end


@frozen
class Link:
    """A symbolic link."""

    target: str


@frozen(eq=False)
class Change:
    """What one operation does to the names in one folder, all at once.

    Attributes:
        folder: The folder.
        names: Path -> what it leads to from now on, None for nothing.
        needs: A change that is there where this one is: a name moves to another folder before it leaves its own.
    """

    folder: str
    names: dict[str, object]
    needs: Change | None = None


@frozen
class State:
    """What lies on the disk.

    Attributes:
        names: Path -> inode, `Link` or `FOLDER`.
        contents: Inode -> bytes.
    """

    names: dict[str, object]
    contents: dict[int, bytes]

    def key(self):
        """Returns what two equal states have in common: names, what is linked with what, and bytes."""
        numbers, found = {}, []
        for path, one in sorted(self.names.items(), key=lambda item: item[0]):
            is_file = isinstance(one, int)
            number = numbers.setdefault(one, len(numbers)) if is_file else one
            found.append((path, number, _digest(self.contents[one]) if is_file else None))
        return tuple(found)


@lru_cache(1 << 12)
def _digest(data):
    return blake2b(data, digest_size=12).digest()


class Disk:
    """A disk to which operations are applied one by one.

    Args:
        start: A state that is durable to begin with.
        earlier: Of the time before; its `acknowledged` and `given_up` hold on.

    Attributes:
        live: What the running system sees.
        acknowledged: The age and the inode of each checkpoint whose save has returned.
        given_up: Inodes that need not survive any more.
        deleted: Paths of which the outside was told that they are deleted -> the inode that they led to.
    """

    def __init__(self, start=None, earlier=None):
        self.acknowledged = list(earlier.acknowledged) if earlier else []
        self.given_up = set(earlier.given_up) if earlier else set()
        self.deleted, self._left = {}, {}
        self.live = dict(start.names) if start else {}
        self._durable, self._settled = dict(self.live), dict(self.live)  # under the weak and the ordered model
        self._weak, self._ordered = [], []  # changes that are not durable
        self._synced = dict(start.contents) if start else {}
        self._written = {inode: bytearray(data) for inode, data in self._synced.items()}
        self._spoiled = set()  # a sync failed: pages are lost, and the next sync reports success

    def apply(self, operation):
        """Applies one operation."""
        getattr(self, f"_{operation.name.replace(' ', '_')}", lambda _: None)(operation)

    def _acknowledge(self, operation):
        self.acknowledged.append((operation.other, self.live[operation.path]))

    def _give_up(self, _):
        """Takes out of what has to survive whatever has no name but such as are replaced by whoever asks for them.

        What was deleted, and told to be, goes too: nothing newer is left now that would stand for it.
        """
        kept = {one for path, one in self.live.items() if not os.path.basename(path).startswith(("latest.", "best_"))}
        self.given_up |= {one for one in self.live.values() if isinstance(one, int)} - kept
        gone = {*self.given_up, *(one for one in self.deleted.values() if one not in self.live.values())}
        self.acknowledged = [one for one in self.acknowledged if one[1] not in gone]

    def _tell_deleted(self, operation):
        self.deleted[operation.path] = self._left[operation.path]

    # -- contents -----------------------------------------------------------------------------------------------------

    def _write(self, operation):
        self._allocate(operation)  # a hole, if the write begins past the end
        content = self._written[operation.inode]
        content[operation.offset : operation.offset + len(operation.data)] = operation.data

    def _allocate(self, operation):
        content = self._written[operation.inode]
        content.extend(bytes(max(0, operation.offset - len(content))))

    def _sync(self, operation):
        if operation.inode not in self._spoiled:
            self._synced[operation.inode] = bytes(self._written[operation.inode])
        self._settle()

    def _sync_failed(self, operation):
        self._spoiled.add(operation.inode)

    def contents(self, inode):
        """Returns what a file may hold after a crash."""
        synced, written = self._synced[inode], bytes(self._written[inode])
        if synced == written:
            return [written]
        size = len(written)
        found = {synced, bytes(size), written[: size - 1], b"\xa5" * size}  # the last: blocks of another file
        for cut in range(BLOCK, size, BLOCK):
            found |= {written[:cut], written[:cut].ljust(size, b"\0"), bytes(cut) + written[cut:]}
            end = cut + BLOCK
            found |= {written[:cut] + bytes(len(written[cut:end])) + written[end:]}
        return [written, *sorted(found - {written})]

    # -- names --------------------------------------------------------------------------------------------------------

    def _create(self, operation):
        self._synced[operation.inode], self._written[operation.inode] = b"", bytearray()
        self._change({operation.path: operation.inode})

    def _rename(self, operation):
        old, new = operation.path, operation.other
        moved = self.live[old]
        if moved == self.live.get(new):
            return  # two names of one file: nothing happens
        if os.path.dirname(old) == os.path.dirname(new):
            self._change({old: None, new: moved})
        else:
            self._change({old: None}, needs=self._change({new: moved}))

    def _link(self, operation):
        self._change({operation.other: self.live[operation.path]})

    def _symlink(self, operation):
        self._change({operation.path: Link(operation.other)})

    def _unlink(self, operation):
        self._left[operation.path] = self.live[operation.path]
        self._change({operation.path: None})

    def _mkdir(self, operation):
        self._change({operation.path: FOLDER})

    def _rmdir(self, operation):
        self._change({operation.path: None})

    def _change(self, names, needs=None):
        change = Change(os.path.dirname(next(iter(names))), names, needs)
        _put(self.live, change)
        self._weak.append(change)
        self._ordered.append(change)
        return change

    def _sync_folder(self, operation):
        folder = "" if operation.path == "." else operation.path
        synced = [one for one in self._weak if one.folder == folder]
        synced += [one.needs for one in synced if one.needs in self._weak and one.needs not in synced]
        for change in (one for one in self._weak if one in synced):
            _put(self._durable, change)
        self._weak = [one for one in self._weak if one not in synced]
        self._settle()

    def _settle(self):
        self._settled, self._ordered = dict(self.live), []

    # -- states -------------------------------------------------------------------------------------------------------

    def states(self, model):
        """Yields every state that is legal now under a model; where there are too many, a fixed sample of them."""
        base = self._settled if model == "ordered" else self._durable
        for changes in self._prefixes() if model == "ordered" else self._subsets():
            names = dict(base)
            for change in changes:
                _put(names, change)
            names = {path: one for path, one in names.items() if _is_reachable(path, names)}
            inodes = sorted({one for one in names.values() if isinstance(one, int)})
            for mix in _mixes([self.contents(one) for one in inodes]):
                yield State(names, dict(zip(inodes, mix, strict=True)))

    def worst(self):
        """Returns the state in which nothing is there that was not synced."""
        names = {path: one for path, one in self._durable.items() if _is_reachable(path, self._durable)}
        return State(names, {inode: self._synced[inode] for inode in names.values() if isinstance(inode, int)})

    def _prefixes(self):
        return [self._ordered[:count] for count in range(len(self._ordered) + 1)]

    def _subsets(self):
        for chosen in _choices(len(self._weak)):
            taken = [one for one, is_there in zip(self._weak, chosen, strict=True) if is_there]
            if all(one.needs in taken or one.needs not in self._weak for one in taken):
                yield taken


def _put(names, change):
    for path, one in change.names.items():
        if one is None:
            names.pop(path, None)
        else:
            names[path] = one


def _is_reachable(path, names):
    folder = os.path.dirname(path)
    return not folder or (names.get(folder) == FOLDER and _is_reachable(folder, names))


def _choices(count):
    """Returns which of some changes are there: every choice, or of too many the first, the last, and a fixed sample."""
    if 2**count <= SUBSETS_MAX:
        return list(itertools.product((False, True), repeat=count))
    chance = random.Random(count)
    drawn = [tuple(chance.random() < 0.5 for _ in range(count)) for _ in range(SUBSETS_MAX - 2 * count)]
    one_left_out = [tuple(one != other for other in range(count)) for one in range(count)]
    return [*drawn, *one_left_out, *(tuple(other < one for other in range(count)) for one in range(count))]


def _mixes(options):
    """Returns one content for each file: every mix, or of too many those in which one file is not whole."""
    if math.prod(map(len, options)) <= MIXES_MAX:
        return list(itertools.product(*options))
    whole = [found[0] for found in options]
    spoiled = [[*whole[:at], one, *whole[at + 1 :]] for at, found in enumerate(options) for one in found[1:]]
    return [whole, *random.Random(0).sample(spoiled, min(MIXES_MAX, len(spoiled)))]
