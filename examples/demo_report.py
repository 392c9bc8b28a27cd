"""What the demo shows at its end: a table of the folder, and a picture of the loss curves."""

from __future__ import annotations

import csv
from pathlib import Path

from attrs import frozen
from rich.console import Console
from rich.table import Table

from tenuto.reference.checkpoint.entries import Entry
from tenuto.reference.checkpoint.ledger import read_ledger


@frozen
class Losses:
    """What `metrics.csv` of a run says.

    Attributes:
        by_attempt: Attempt -> steps and training losses of its batches, in order.
        accuracy: On the validation set, at the end.
    """

    by_attempt: dict[int, list[tuple[int, float]]]
    accuracy: float


def last_step(folder: Path) -> int:
    """Returns the last step that a run has logged; 0 before the first."""
    try:
        lines = (folder / "metrics.csv").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return int(lines[-1].split(",")[2]) if len(lines) > 1 else 0


def read_losses(folder: Path) -> Losses:
    """Reads the losses of every attempt."""
    by_attempt: dict[int, list[tuple[int, float]]] = {}
    accuracy = 0.0
    with (folder / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            if row["metric"] == "train_loss_step":
                by_attempt.setdefault(int(row["attempt"]), []).append((int(row["global_step"]), float(row["value"])))
            elif row["metric"] == "val_accuracy":
                accuracy = float(row["value"])
    return Losses(by_attempt, accuracy)


def _why(entry: Entry, twin: str | None, parents: set[str | None]) -> str:
    if twin is not None:
        return f"second name of {twin}"
    return ", ".join(entry.reasons) + ("; the run resumed from it" if entry.checkpoint_id in parents else "")


def print_folder(console: Console, folder: Path) -> None:
    """Prints each checkpoint of a folder with the reason why it is there."""
    table = Table("file", "epoch", "step", "attempt", "bytes", "why")
    first_names: dict[str, str] = {}
    entries = read_ledger(str(folder)).entries
    parents = {entry.parent for entry in entries}
    for entry in sorted(entries, key=lambda entry: not entry.name.startswith("checkpoint")):
        twin = first_names.get(entry.checkpoint_id)
        first_names.setdefault(entry.checkpoint_id, entry.name)
        epoch, _, step = entry.position
        size = (folder / entry.name).stat().st_size
        table.add_row(entry.name, str(epoch), str(step), str(entry.attempt), str(size), _why(entry, twin, parents))
    console.print(table)


def draw_losses(path: Path, one: Losses, other: Losses, killed_at: int) -> Path:
    """Draws both loss curves, one above the other, with the kill marked, and returns the path of the PNG."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to import, and only needed here

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of a backend without a screen

    figure, (upper, lower) = plt.subplots(2, 1, sharex=True, sharey=True, figsize=(9, 6), layout="constrained")
    upper.plot(*zip(*one.by_attempt[1], strict=True), color="tab:blue", linewidth=1)
    upper.set_title("uninterrupted")
    before, after = other.by_attempt[1], other.by_attempt[2]
    resumed_at = after[0][0] - 1
    lower.plot(*zip(*before, strict=True), color="tab:orange", linewidth=3, alpha=0.5, label="before the kill")
    lower.plot(*zip(*after, strict=True), color="tab:green", linewidth=1, label=f"resumed from step {resumed_at}")
    lower.axvline(killed_at, color="tab:red", linestyle="--", label=f"kill -9 at step {killed_at}")
    lower.axvline(resumed_at, color="tab:green", linestyle=":", linewidth=1)
    lower.set_title("killed and resumed")
    lower.set_xlabel("step")
    lower.legend()
    for axis in (upper, lower):
        axis.set_ylabel("training loss of the batch")
        axis.set_yscale("log")
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path
