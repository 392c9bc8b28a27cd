"""The same resume test on tenuto and on Lightning: killed in mid-epoch, resumed, compared with a run that was not.

    python -m benchmarks.resume_elsewhere

Every run is a process of its own. The network has dropout, the data are shuffled, the optimizer is Adam with a
scheduler. Each framework saves every few steps by its own means and resumes from its own last checkpoint. Two
uninterrupted runs of each have to be equal, or the comparison would mean nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import torch
from attrs import frozen
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import tenuto

__all__ = ["Resumed", "compare_resumes", "resume_table"]

EPOCHS: Final = 4
STEPS_OF_EPOCH: Final = 16
SAVE_EVERY: Final = 5
KILL_AT: Final = 2 * STEPS_OF_EPOCH + 9  # inside the third epoch, one step behind a save
SEED: Final = 7
FRAMEWORKS: Final = ("tenuto", "lightning")


@frozen
class Resumed:
    """What came of one framework.

    Attributes:
        framework: Its name.
        repeatable: Whether two uninterrupted runs end with the same weights.
        identical: Whether the resumed run does.
        difference: The largest difference of a weight from the uninterrupted run.
    """

    framework: str
    repeatable: bool
    identical: bool
    difference: float


def make_job() -> tuple[nn.Module, torch.optim.Optimizer, Any, DataLoader[Any]]:
    """Returns model, optimizer, scheduler and data; the same for each framework."""
    tenuto.seed_all(SEED)
    inputs = torch.randn(STEPS_OF_EPOCH * 8, 8)
    data = DataLoader(TensorDataset(inputs, inputs.sum(dim=1, keepdim=True)), 8, shuffle=True)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.25), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    return model, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.7), data


def kill_at(step: int, reached: int) -> None:
    """Ends this process, as a machine that is taken away would, once it has reached a step; never for step 0."""
    if step and reached == step:
        os.kill(os.getpid(), signal.SIGKILL)


def train_tenuto(folder: str, kill_step: int) -> nn.Module:
    """Trains, or goes on from what is in the folder."""

    class Killer(tenuto.BaseCallback):
        def on_batch_start(self, context: Any) -> None:  # noqa: ANN401 - the package has no public name for it
            kill_at(kill_step, context.progress.global_step)

    model, optimizer, scheduler, data = make_job()
    trainer = tenuto.Trainer(
        model,
        optimizer,
        data,
        max_epochs=EPOCHS,
        loss=nn.functional.mse_loss,
        scheduler=scheduler,
        callbacks=[Killer(), tenuto.CheckpointCallback(folder, save_every_steps=SAVE_EVERY)],
    )
    trainer.fit(resume="auto")
    return model


def train_lightning(folder: str, kill_step: int) -> nn.Module:
    """Trains, or goes on from what is in the folder."""
    import lightning  # noqa: PLC0415 - only where it is installed
    from lightning.pytorch.callbacks import ModelCheckpoint  # noqa: PLC0415 - as above

    net, optimizer, scheduler, data = make_job()

    class Module(lightning.LightningModule):  # type: ignore[misc] # not installed where types are checked
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def training_step(self, batch: Any) -> torch.Tensor:  # noqa: ANN401 - a pair of tensors
            inputs, targets = batch
            return nn.functional.mse_loss(self.net(inputs), targets)

        def on_train_batch_start(self, *_: object) -> None:
            kill_at(kill_step, self.global_step)

        def configure_optimizers(self) -> Any:  # noqa: ANN401 - Lightning takes many forms
            return [optimizer], [scheduler]

    lightning.seed_everything(SEED, verbose=False)
    saving = ModelCheckpoint(folder, every_n_train_steps=SAVE_EVERY, save_top_k=-1, save_last=True)
    quiet: dict[str, Any] = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary"), False)
    trainer = lightning.Trainer(max_epochs=EPOCHS, accelerator="cpu", callbacks=[saving], deterministic=True, **quiet)
    last = Path(folder, "last.ckpt")
    trainer.fit(Module(), data, ckpt_path=last if last.exists() else None)
    return net


def run_one(framework: str, folder: str, kill_step: str) -> None:
    """Trains in this process and writes the final weights into the folder."""
    torch.set_num_threads(1)
    train = {"tenuto": train_tenuto, "lightning": train_lightning}[framework]
    model = train(folder, int(kill_step))
    torch.save(model.state_dict(), Path(folder, "final.pt"))


def _start(framework: str, folder: Path, kill_step: int = 0) -> None:
    """Runs `run_one` in a process; one that is not to be killed has to succeed, the other has to be killed."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.resume_elsewhere", framework, str(folder)]
    ended = subprocess.run([*command, str(kill_step)], capture_output=True, text=True, check=False)
    expected = -signal.SIGKILL if kill_step else 0
    if ended.returncode != expected:
        raise RuntimeError(f"{framework}: exit code {ended.returncode}; expected {expected}\n{ended.stderr}")


def _resume(framework: str, folder: Path) -> Resumed:
    runs = folder / "whole", folder / "again", folder / "killed"
    for run in runs[:2]:
        _start(framework, run)
    _start(framework, runs[2], KILL_AT)
    if Path(runs[2], "final.pt").exists():
        raise RuntimeError(f"{framework}: the killed run has final weights; expected none before the resume")
    _start(framework, runs[2])
    weights = [torch.cat([one.flatten() for one in torch.load(run / "final.pt").values()]) for run in runs]
    repeatable, identical = (torch.equal(weights[0], other) for other in weights[1:])
    return Resumed(framework, repeatable, identical, float((weights[0] - weights[2]).abs().max()))


def compare_resumes() -> list[Resumed]:
    """Runs the test on each framework that is installed."""
    found = [framework for framework in FRAMEWORKS if find_spec(framework)]
    with tempfile.TemporaryDirectory() as folder:
        results = []
        for framework in track(found, "resume after SIGKILL", transient=True):
            Path(folder, framework).mkdir()
            results.append(_resume(framework, Path(folder, framework)))
    return results


def resume_table(results: list[Resumed]) -> Table:
    """Returns what came of it, for the terminal."""
    table = Table("framework", "two whole runs", "killed and resumed", "largest difference of a weight")
    for one in results:
        words = ("equal" if same else "DIFFERENT" for same in (one.repeatable, one.identical))
        table.add_row(one.framework, *words, f"{one.difference:.3g}")
    return table


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run_one(*sys.argv[1:])
    else:
        Console(width=120).print(resume_table(compare_resumes()))
