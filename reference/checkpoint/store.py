"""The save protocol: a checkpoint is either whole and durable under its name, or it is not there.

Step numbers are those of `spec/v1/60-run-directory.md`. Which files to write or delete is decided elsewhere.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Literal
from urllib.parse import quote

from attrs import field, frozen

from tenuto.reference.checkpoint import files
from tenuto.reference.checkpoint.gathering import write_pieces
from tenuto.reference.checkpoint.layout import Layout, lay_out
from tenuto.reference.checkpoint.parallel_writing import write_layout
from tenuto.reference.checkpoint.refusals import write_refusal
from tenuto.reference.checkpoint.storage import PosixStorage, StorageOps
from tenuto.reference.checkpoint.tree import Document
from tenuto.reference.checkpoint.workers import PARALLEL_BYTES
from tenuto.reference.checkpoint.writer import pieces_of
from tenuto.reference.errors import CheckpointError

__all__ = ["NameKind", "Store", "write_checkpoint"]

NameKind = Literal["link", "symlink", "copy"]
_Fill = Callable[[int], None]


@frozen
class Store:
    """Checkpoint files of one run in one folder.

    Attributes:
        folder: Where the files lie; made when first needed.
        owner: Part of the temporary names, so that a run removes its own left-overs and nobody else's.
        verify: Whether each file is read back from the device before it gets its name.
        ops: The storage to work through.
        parallel_bytes: Files of at least this size are written in parallel.
        is_compressing: Whether tensors are compressed for which that pays.
    """

    folder: str = field(converter=os.fspath)
    owner: str
    verify: bool = True
    ops: StorageOps = field(factory=PosixStorage)
    parallel_bytes: int = PARALLEL_BYTES
    is_compressing: bool = False

    def path(self, name: str) -> str:
        """Returns the path of a name in the folder."""
        return os.path.join(self.folder, name)

    def save(self, name: str, document: Document) -> str:
        """Writes a document durably under a name, replacing what had the name only when the new bytes are safe.

        Returns:
            The path. The file is acknowledged: it survives a crash at any later moment.

        Raises:
            CheckpointError: `disk_full`, `not_writable` or `io_error` (phase `io`), a code of phase `encode`, or what
                the read-back finds. The old file is untouched and the temporary one removed.

        Spec: STORE-SAVE-002 to STORE-SAVE-008.
        """
        # Refusals of the document come before any file is made.
        layout = lay_out(document, is_compressing=self.is_compressing)
        return self._put(name, partial(self._fill, layout), lambda made: files.verify_checkpoint(made, self.ops))

    def export(self, name: str, data: bytes) -> str:
        """Writes a file that is no checkpoint by the same steps, and returns its path.

        Raises:
            CheckpointError: As for `save`.

        Spec: CPC-MAN-006.
        """
        return self._put(name, self._copying(data), lambda made: files.verify_bytes(made, data, self.ops))

    def _fill(self, layout: Layout, file: int) -> None:
        """Writes a checkpoint into a new file: front to back, or if it is large in parallel; the bytes are the same."""
        if layout.end < self.parallel_bytes:
            write_pieces(self.ops, file, pieces_of(layout))
        else:
            write_layout(self.ops, file, layout)

    def _copying(self, data: bytes | memoryview) -> _Fill:
        return lambda file: write_pieces(self.ops, file, [data])

    def _put(self, name: str, fill: _Fill, check: Callable[[str], object]) -> str:
        final, temporary = self.path(name), self._temporary(name)
        with self._replacing("saving", final, temporary):
            self.ops.make_folder(os.path.dirname(final))
            self._write(temporary, fill)
            if self.verify:
                check(temporary)
            self.ops.rename(temporary, final)
            self.ops.sync_folder(os.path.dirname(final))
        return final

    def add_names(self, existing: str, kinds: Mapping[str, NameKind]) -> dict[str, CheckpointError]:
        """Gives a saved file second names, and syncs the folder once when all that can be made are made.

        Args:
            existing: A name in the folder.
            kinds: How each second name is made, in the folder itself; what had it is replaced. A hard link (a copy
                where links fail), a symbolic link, or a copy.

        Returns:
            What kept a name from being made durably, with the codes of `save`; empty if all are.

        Spec: STORE-NAME-001, STORE-NAME-002, STORE-NAME-006, CPC-ERR-007.
        """
        failed: dict[str, CheckpointError] = {}
        made: list[str] = []
        for name, kind in kinds.items():
            try:
                made += [name] * self._add_name(existing, name, kind)
            except CheckpointError as error:
                failed[name] = error
        if not made:
            return failed
        try:
            self.ops.sync_folder(self.folder)
        except OSError as error:
            failed |= {name: write_refusal("naming", self.path(name), error) for name in made}
        return failed

    def _add_name(self, existing: str, name: str, kind: NameKind) -> bool:
        """Puts a second name in its place; returns whether anything had to be done."""
        source, final, temporary = self.path(existing), self.path(name), self._temporary(name)
        with self._replacing("naming", final, temporary):
            same = self.ops.identity(source)
            if same is None:
                raise FileNotFoundError(errno.ENOENT, "not there, or not a regular file", source)
            if same == self.ops.identity(final):
                return False  # renaming one name of a file to another does nothing and leaves both
            if kind == "symlink":
                self.ops.symlink(existing, temporary)
            elif kind == "copy" or not self._link(source, temporary):
                self._write(temporary, self._copying(self._contents(source)))
                if self.verify:
                    files.verify_checkpoint(temporary, self.ops)
            self.ops.rename(temporary, final)
        return True

    def rename(self, old: str, new: str) -> None:
        """Moves a file out of the way of a new one.

        Spec: STORE-NAME-003.
        """
        try:
            self.ops.rename(self.path(old), self.path(new))
            self.ops.sync_folder(self.folder)
            self._tidy([old])
        except OSError as error:
            raise write_refusal("renaming", self.path(old), error) from error

    def delete(self, names: Sequence[str]) -> None:
        """Removes names and returns when that is durable.

        Spec: STORE-KEEP-002.
        """
        if not names:
            return
        try:
            for name in names:
                self.ops.unlink(self.path(name))
            self._tidy(names)
            self.ops.sync_folder(self.folder)
        except OSError as error:
            raise write_refusal("deleting in", self.folder, error) from error

    def _tidy(self, names: Sequence[str]) -> None:
        """Makes it durable that names have left folders inside the folder, and removes those that became empty.

        Spec: STORE-DIR-002.
        """
        for folder in {os.path.dirname(self.path(name)) for name in names} - {os.path.dirname(self.path(""))}:
            if self.ops.names(folder):
                self.ops.sync_folder(folder)
            else:
                self.ops.remove_folder(folder)
                self.ops.sync_folder(self.folder)

    def probe(self) -> None:
        """Makes the folder and a file in it, and removes the file: better now than after an epoch.

        Raises:
            CheckpointError: `disk_full`, `not_writable`, `not_a_folder` or `io_error`, phase `io`.

        Spec: STORE-SAVE-011.
        """
        temporary = self._temporary("probe")
        with self._replacing("saving in", self.folder, temporary):
            self.ops.make_folder(self.folder)
            self.ops.close(self.ops.create(temporary))
            self.ops.unlink(temporary)

    def sweep(self) -> list[str]:
        """Removes temporary files that an earlier attempt of this owner left behind, and returns their names.

        Spec: STORE-SAVE-009.
        """
        try:
            left = [one for one in self.ops.names(self.folder) if one.startswith(self._prefix) and one.endswith(".tmp")]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise write_refusal("listing", self.folder, error) from error
        self.delete(left)
        return left

    @property
    def _prefix(self) -> str:
        """What only this owner's temporary names start with: without its dots `a` is no beginning of `a.b`."""
        return f".{quote(self.owner, safe='').replace('.', '%2E')}."

    def _temporary(self, name: str) -> str:
        return self.path(f"{self._prefix}{name[:100].replace('/', '.')}.{secrets.token_hex(4)}.tmp")

    def _write(self, path: str, fill: _Fill) -> None:
        """Steps 2 to 4. A failed fsync is never tried again: the second one reports success over lost pages."""
        file = self.ops.create(path)
        try:
            fill(file)
            self.ops.sync(file)
            if self.verify:
                self.ops.drop_cache(file)
        finally:
            self.ops.close(file)

    def _link(self, existing: str, new: str) -> bool:
        try:
            self.ops.link(existing, new)
        except OSError as error:
            if error.errno in {errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}:
                return False
            raise
        return True

    def _contents(self, path: str) -> memoryview:
        file = self.ops.open(path)
        try:
            return self.ops.map(file)
        finally:
            self.ops.close(file)

    @contextmanager
    def _replacing(self, what: str, final: str, temporary: str) -> Iterator[None]:
        """Leaves no temporary file behind, whatever ends the work, and gives an error of the system its code.

        Spec: STORE-SAVE-008, STORE-SAVE-010.
        """
        try:
            yield
        except OSError as error:
            self._discard(temporary)
            raise write_refusal(what, final, error) from error
        except BaseException:
            self._discard(temporary)
            raise

    def _discard(self, path: str) -> None:
        try:
            self.ops.unlink(path)
        except OSError:
            return  # it was never made, or the disk is gone: the error that brought us here is the one to report


def write_checkpoint(
    path: str | os.PathLike[str],
    document: Document,
    ops: StorageOps | None = None,
    *,
    compression: Literal["zstd"] | None = None,
) -> str:
    """Writes a document durably to a path.

    Args:
        path: Replaced if it is there.
        document: Borrowed.
        ops: The storage to work through.
        compression: `zstd` compresses the tensors for which that pays.

    Raises:
        CheckpointError: As for `Store.save`.

    Spec: STORE-SAVE-002 to STORE-SAVE-008.
    """
    folder, name = os.path.split(os.path.abspath(path))
    store = Store(folder, secrets.token_hex(4), ops=ops or PosixStorage(), is_compressing=compression is not None)
    return store.save(name, document)
