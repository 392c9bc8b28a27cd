"""The save protocol: a checkpoint is either whole and durable under its name,
or it is not there. Spec: section 2 of 60-run-directory.md.
"""
from ..ckpt import read_file
from ..clock import random_hex
from ..document import Document
from ..encode import write_document
from ..errors import Phase, TenutoError
from ..fs import map_file
from ..ledger import is_epoch_name
from ..storage import (
    NewFile,
    are_same,
    discard,
    folder_of,
    has_name,
    is_file,
    link,
    make_folder,
    move,
    names_in,
    remove,
    remove_folder,
    symbolic_link,
    sync_folder,
)


struct Store(Copyable):
    """The checkpoint files of one run in one folder.

    `verify` says whether each file is read back before it gets its name.
    """

    var folder: String
    var verify: Bool
    var _prefix: String

    def __init__(out self, folder: String, run_id: String, verify: Bool):
        self.folder = folder.copy()
        self.verify = verify
        # Without its dots `a` is no beginning of `a.b`. Spec: STORE-SAVE-012.
        self._prefix = String(".", run_id.replace(".", "%2E"), ".")

    def path(self, name: StringSpan) -> String:
        """The path of a name in the folder."""
        return String(self.folder, "/", name)

    def _temporary(self) -> String:
        return self.path(String(self._prefix, random_hex(12), ".tmp"))

    def save(self, name: String, doc: Document) raises TenutoError -> String:
        """Write a document durably under a name; its path.

        Errors: `disk_full`, `not_writable`, `not_a_folder`, `io_error`, those
        of phase `encode`, and what the read-back finds; what had the name is
        untouched then. Spec: STORE-SAVE-002 to STORE-SAVE-008, STORE-SAVE-014.
        """
        var final = self.path(name)
        make_folder(self.folder)
        var file = NewFile(final, self._temporary())
        _ = write_document(doc, file)
        file.settle(durable=True)
        if self.verify:
            _ = read_file(file.temp)
        make_folder(folder_of(final))
        file.place(durable=True)
        return final^

    def add_name(
        self, existing: String, name: String, mode: StringSpan
    ) raises TenutoError:
        """Give a saved file a second name; what had the name is replaced.

        `mode` is a word of the setting `latest`.
        Spec: STORE-NAME-001, STORE-NAME-002, STORE-NAME-005, CPC-NAME-016.
        """
        var source = self.path(existing)
        var final = self.path(name)
        var word = String(mode)
        if word != "copy" and are_same(source, final):
            return
        var temporary = self._temporary()
        try:
            if word == "symlink":
                symbolic_link(existing, temporary)
            elif word == "copy" or not link(source, temporary):
                self._copy(source, final, temporary)
                return
            move(temporary, final)
        except e:
            discard(temporary)
            raise e^
        sync_folder(self.folder)

    def _copy(
        self, source: String, final: String, temporary: String
    ) raises TenutoError:
        var bytes = map_file(source)
        var file = NewFile(final, temporary)
        file.write(bytes.span())
        _ = bytes^
        file.finish(durable=True)

    def rename(self, old: String, new: String) raises TenutoError:
        """Move a file out of the way of a new one. Spec: STORE-NAME-003."""
        move(self.path(old), self.path(new))
        self._leave(old)
        sync_folder(self.folder)

    def delete(self, names: List[String]) raises TenutoError:
        """Remove names, and return when that is durable. Spec: STORE-KEEP-002.
        """
        if len(names) == 0:
            return
        for name in names:
            remove(self.path(name))
            self._leave(name)
        sync_folder(self.folder)

    def _leave(self, name: String) raises TenutoError:
        """Remove a folder that became empty. Spec: STORE-DIR-002."""
        if is_epoch_name(name):
            var folder = folder_of(self.path(name))
            sync_folder(folder)
            remove_folder(folder)

    def probe(self) raises TenutoError:
        """Make the folder and a file in it: better now than after an epoch.

        Spec: STORE-SAVE-011.
        """
        make_folder(self.folder)
        _ = NewFile(self.path("probe.ckpt"), self._temporary())

    def sweep(self) raises TenutoError:
        """Remove what a killed attempt of this run left. Spec: STORE-SAVE-009.
        """
        var left = List[String]()
        for name in names_in(self.folder):
            if name.startswith(self._prefix) and name.endswith(".tmp"):
                left.append(name.copy())
        self.delete(left)

    def is_free(self, name: String) -> Bool:
        """Whether nothing has a name."""
        return not has_name(self.path(name))
