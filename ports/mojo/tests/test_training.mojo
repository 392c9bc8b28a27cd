"""Unit tests of the trainer and its callbacks, where the suite does not reach.

Run in `ports/mojo`, after a build: `mojo run -I . tests/test_training.mojo`.
"""
from std.memory import ArcPointer
from std.testing import TestSuite, assert_equal, assert_true
from tenuto import (
    AnyCallback,
    Callback,
    CaptureRequest,
    CheckpointCallback,
    CheckpointSettings,
    Context,
    Document,
    ReferenceWorkload,
    Retention,
    TenutoError,
    Trainer,
    TrainerSettings,
    Value,
    WorkloadSettings,
    write_bytes,
    write_file,
)
from tenuto.callbacks.ranking import BestEntry, BestList, Monitor
from tenuto.callbacks.retention import plan_retention
from tenuto.clock import random_hex
from tenuto.entries import Entry
from tenuto.events.progress import Progress, RunIdentity
from tenuto.fs import map_file
from tenuto.ledger import checkpoint_names, read_ledger
from tenuto.storage import names_in
from tenuto.trainer.resume import find_newest

comptime KAT = "../../spec/v1/vectors/kat/"


def text(names: List[String]) -> String:
    """Names with blanks between them."""
    return String(" ".join(names))


def new_folder() -> String:
    """A folder that nothing has been saved in."""
    return String("build/runs/", random_hex(12))


def small() -> WorkloadSettings:
    """Two batches an epoch."""
    var settings = WorkloadSettings()
    settings.samples = 8
    settings.validation_samples = 2
    return settings^


def make_trainer(
    var workload: WorkloadSettings,
    max_epochs: Int,
    var callbacks: List[AnyCallback],
) raises TenutoError -> Trainer[ReferenceWorkload]:
    """A trainer of the reference workload."""
    return Trainer(
        ReferenceWorkload(workload^), TrainerSettings(max_epochs), callbacks^
    )


def fit(
    settings: CheckpointSettings, max_epochs: Int, resume: String
) raises TenutoError -> String:
    """Train; the names in the folder at the end."""
    var callbacks = List[AnyCallback]()
    callbacks.append(CheckpointCallback(settings.copy()))
    var trainer = make_trainer(small(), max_epochs, callbacks^)
    _ = trainer.fit(resume)
    return text(checkpoint_names(settings.checkpoint_dir))


struct Stops(Callback):
    """Asks for a stop at the end of a batch."""

    var epoch: Int
    var batch: Int

    def __init__(out self, epoch: Int, batch: Int):
        self.epoch = epoch
        self.batch = batch

    def on_batch_end(mut self, context: Context) raises TenutoError:
        if (
            context.progress.epoch == self.epoch
            and context.progress.batch_in_epoch == self.batch
        ):
            context.request_stop("enough")


struct Fails(Callback):
    """Fails at the end of an epoch, and keeps its hooks where a test sees them.
    """

    var log: ArcPointer[List[String]]

    def __init__(out self, log: ArcPointer[List[String]]):
        self.log = log

    def on_epoch_end(mut self, context: Context) raises TenutoError:
        raise TenutoError("x_test", "train", "told to fail")

    def on_exception(mut self, context: Context) raises TenutoError:
        self.log[].append(String("exception ", context.error.value().code))
        raise TenutoError("x_late", "train", "told to fail")

    def on_train_end(mut self, context: Context) raises TenutoError:
        self.log[].append("train_end")

    def on_teardown(mut self, context: Context) raises TenutoError:
        self.log[].append("teardown")


def state_after(
    var settings: WorkloadSettings, max_epochs: Int, epoch: Int, batch: Int
) raises TenutoError -> List[UInt8]:
    """The file of a training stopped there, with an empty origin."""
    var callbacks = List[AnyCallback]()
    callbacks.append(Stops(epoch, batch))
    var trainer = make_trainer(settings^, max_epochs, callbacks^)
    _ = trainer.fit()
    var doc = trainer.capture_state(CaptureRequest([String("manual")]))
    doc.strip_origin()
    return write_bytes(doc)


def known(name: String) raises TenutoError -> List[UInt8]:
    """The bytes of a known answer."""
    var blob = map_file(String(KAT, name))
    var bytes = List[UInt8]()
    bytes.extend(blob.span())
    _ = blob^
    return bytes^


def test_known_answers() raises:
    """Whole files of trainings. Spec: RW-KAT-001, TR-STATE-015."""
    var sgd = WorkloadSettings()
    sgd.seed = 1
    assert_true(
        state_after(sgd.copy(), 3, 1, 2) == known("checkpoint-mid-epoch.ckpt")
    )
    assert_true(
        state_after(sgd.copy(), 3, 1, 6) == known("checkpoint-last-batch.ckpt")
    )
    assert_true(
        state_after(sgd.copy(), 3, -1, 0) == known("checkpoint-end.ckpt")
    )
    var adam = WorkloadSettings()
    adam.seed = 2
    adam.accumulate = 4
    adam.optimizer = "adam"
    adam.scheduler = "warmup_step"
    assert_true(
        state_after(adam.copy(), 2, 1, 5) == known("checkpoint-mid-window.ckpt")
    )
    var plateau = WorkloadSettings()
    plateau.seed = 3
    plateau.accumulate = 2
    plateau.scheduler = "plateau"
    plateau.patience = 0
    plateau.cooldown = 2
    plateau.threshold = 10.0
    assert_true(
        state_after(plateau.copy(), 5, -1, 0)
        == known("checkpoint-plateau-end.ckpt")
    )
    var wild = WorkloadSettings()
    wild.hidden = 2
    wild.lr = 10000.0
    assert_true(
        state_after(wild.copy(), 3, -1, 0) == known("checkpoint-nan.ckpt")
    )


def test_calls_from_outside() raises:
    """Spec: CPC-CALL-001, CPC-CALL-002, CPC-CALL-006."""
    var settings = CheckpointSettings(new_folder())
    var saving = CheckpointCallback(settings.copy())
    assert_true(not saving.last_model_path())
    assert_true(not saving.best_model_path())
    var callbacks = List[AnyCallback]()
    callbacks.append(saving.copy())
    var trainer = make_trainer(small(), 2, callbacks^)
    _ = trainer.fit()
    assert_true(saving.last_model_path().value().endswith("_epoch_0002.ckpt"))
    assert_true(
        saving.best_model_path().value().endswith("best_model_val_loss.ckpt")
    )
    assert_equal(len(saving.best_k_models()), 1)
    var best = saving.load_checkpoint("best_model_val_loss.ckpt")
    ref metric = best.root.get("metadata").get("metrics").get("val_loss")
    assert_equal(
        metric.get("value").as_float(), saving.best_model_score().value()
    )
    var path = saving.save_checkpoint(trainer, Value.map(), 2)
    assert_true(path.endswith("checkpoint_epoch_0002.ckpt"))
    var code = String("")
    try:
        _ = saving.save_checkpoint(trainer, Value.map(), 3)
    except e:
        code = e.code.copy()
    assert_equal(code, "epoch_mismatch")


def test_a_failure_takes_its_path() raises:
    """Spec: TR-FAIL-001, TR-FAIL-002, TR-FAIL-013, CB-FAIL-002."""
    var log = ArcPointer(List[String]())
    var callbacks = List[AnyCallback]()
    callbacks.append(Fails(log))
    var trainer = make_trainer(small(), 2, callbacks^)
    var code = String("")
    try:
        _ = trainer.fit()
    except e:
        code = e.code.copy()
    assert_equal(code, "x_test")
    assert_equal(text(log[]), "exception x_test teardown")


def test_restore_by_hand() raises:
    """Spec: TR-REST-002, TR-REST-004, TR-RES-010, TR-REST-006."""
    var first = make_trainer(small(), 2, List[AnyCallback]())
    _ = first.fit()
    var state = first.capture_state(CaptureRequest([String("manual")]))
    state.strip_origin()
    var bytes = write_bytes(state)
    var code = String("")
    var other = make_trainer(small(), 2, List[AnyCallback]())
    try:
        _ = other.restore_state(state)
    except e:
        code = e.code.copy()
    assert_equal(code, "not_resumable")  # it has no origin any more
    state = first.capture_state(CaptureRequest([String("manual")]))
    var report = other.restore_state(state)
    assert_true(report.exact)
    assert_equal(report.progress.epoch, 2)
    assert_equal(len(report.notes), 0)
    var again = other.capture_state(CaptureRequest([String("manual")]))
    again.strip_origin()
    assert_true(write_bytes(again) == bytes)
    code = ""
    try:
        _ = first.fit()
    except e:
        code = e.code.copy()
    assert_equal(code, "already_trained")


def test_policies() raises:
    """Spec: CPC-KEEP-007, CPC-KEEP-008."""
    var every = CheckpointSettings(new_folder())
    every.save_best = False
    every.retention.append(Retention(Retention.EVERY, 2))
    assert_equal(
        fit(every, 5, "never"),
        (
            "checkpoint_epoch_0002.ckpt checkpoint_epoch_0004.ckpt"
            " checkpoint_epoch_0005.ckpt latest.ckpt"
        ),
    )
    var union = CheckpointSettings(new_folder())
    union.save_best = False
    union.retention.append(Retention(Retention.EVERY, 3))
    union.retention.append(Retention(Retention.LAST, 1))
    assert_equal(
        fit(union, 5, "never"),
        "checkpoint_epoch_0003.ckpt checkpoint_epoch_0005.ckpt latest.ckpt",
    )


def entry_of(var name: String, progress: Progress, is_exact: Bool) -> Entry:
    """A checkpoint of the first attempt of the run `r`."""
    var entry = Entry(name^)
    entry.checkpoint_id = String("at ", progress.epoch, progress.batch_in_epoch)
    entry.run_id = "r"
    entry.attempt = 1
    entry.progress = progress
    entry.is_exact = is_exact
    entry.is_full = True
    return entry^


def gone_behind_a_manual_save(
    policy: Int, latest: Progress
) raises TenutoError -> String:
    """What a policy deletes after a save inside a hook, which is not exact;
    `latest` is the state that `latest.ckpt` leads to.
    """
    var found = List[Entry]()
    for epoch in range(1, 4):
        var name = String("checkpoint_epoch_000", epoch, ".ckpt")
        found.append(entry_of(name^, Progress(epoch, 0, 2 * epoch), True))
    var manual = entry_of(
        "checkpoint_epoch_0003_step_00000007.ckpt", Progress(3, 1, 7), False
    )
    manual.reasons.append("manual")
    found.append(manual^)
    found.append(entry_of("latest.ckpt", latest, latest.batch_in_epoch == 0))
    var lists: List[BestList] = [BestList(Monitor("val_loss"))]
    lists[0].entries.append(BestEntry(0.5, 1, 2, "best_model_val_loss.ckpt"))
    return text(
        plan_retention(
            found, RunIdentity("r"), [Retention(policy)], lists, True
        )
    )


def test_the_newest_exact_checkpoint_stays() raises:
    """Spec: CPC-KEEP-004, CPC-KEEP-008."""
    var second = "checkpoint_epoch_0002.ckpt"
    var manual = Progress(3, 1, 7)
    assert_equal(
        gone_behind_a_manual_save(Retention.BEST_AND_LATEST, manual), second
    )
    assert_equal(gone_behind_a_manual_save(Retention.BEST, manual), second)
    assert_equal(
        gone_behind_a_manual_save(Retention.BEST, Progress(3, 0, 6)),
        "checkpoint_epoch_0002.ckpt checkpoint_epoch_0003.ckpt",
    )


def test_a_save_leaves_no_temporary_file() raises:
    """Spec: STORE-SAVE-008."""
    var settings = CheckpointSettings(new_folder())
    _ = fit(settings, 2, "never")
    for name in names_in(settings.checkpoint_dir):
        assert_true(not name.startswith("."))


def test_a_file_that_changed_since_it_was_listed_is_passed_over() raises:
    """Spec: TR-RES-002, TR-RES-023."""
    var settings = CheckpointSettings(new_folder())
    settings.save_best = False
    settings.latest = "none"
    _ = fit(settings, 2, "never")
    ref folder = settings.checkpoint_dir
    var entries = read_ledger(folder)
    assert_equal(
        find_newest(folder, entries).value().name, "checkpoint_epoch_0002.ckpt"
    )
    write_file(Document(), String(folder, "/checkpoint_epoch_0002.ckpt"))
    assert_equal(
        find_newest(folder, entries).value().name, "checkpoint_epoch_0001.ckpt"
    )


def main() raises:
    TestSuite.discover_tests[__functions_in_module()]().run()
