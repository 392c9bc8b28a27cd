"""The digits in Mojo, end to end: train, Ctrl-C, kill -9, resume, compare the last files, read the weights in torch.

`make mojo-demo` builds the program and runs this. The network, its training and its checkpoints are Mojo alone
(ports/mojo/examples); Python makes the file of the data before, and looks at the checkpoint after.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch
from digits import make_data
from rich.console import Console
from torch import nn

import tenuto
from tenuto.reference.checkpoint import Document, Tensor, Tree
from tenuto.reference.checkpoint.compare import digest, first_difference

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "ports/mojo/build/digits"
FILE = "checkpoint_epoch_0005_step_00000250.ckpt"  # the signal comes when it is there: in the middle of epoch 6
EXIT_CODES = {signal.SIGINT: 130, signal.SIGKILL: -signal.SIGKILL}

console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)


class DemoError(Exception):
    """The demo did not show what it claims."""


def export_digits(path: Path) -> None:
    """Writes images as float64 [n, 64] in [0, 1] and digits as int64 [n], for training and for validation."""
    tensors: dict[str, Tree] = {}
    for name, part in zip(("training", "validation"), make_data(), strict=True):
        images, digits = (one.numpy() for one in part.tensors)
        tensors[f"{name}.images"] = Tensor("float64", images.shape, images.astype("<f8").data)
        tensors[f"{name}.digits"] = Tensor("int64", digits.shape, digits.data)
    empty: dict[str, Tree] = {f"{name}_state": {} for name in ("optimizer", "scheduler", "rng", "callback")}
    head: dict[str, Tree] = {"version": "1.0", "requires": [], "metadata": {"origin": {}}, "trainer_state": None}
    path.parent.mkdir(parents=True, exist_ok=True)
    tenuto.write_checkpoint(path, Document({**head, **empty, "model_state": tensors}))


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    """Starts the program, which trains in a folder beside the file of the data."""
    command = [str(PROGRAM), "--data", str(folder.parent / "digits.ckpt"), "--output", str(folder), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def train(folder: Path, *options: str) -> str:
    """Trains to the end and returns what was printed.

    Raises:
        DemoError: It did not end well.
    """
    process = start(folder, *options)
    printed = process.communicate()[0]
    if process.returncode != 0:
        raise DemoError(f"training in {folder}: exit code {process.returncode}; expected 0\n{printed}")
    return printed


def interrupt(folder: Path, number: signal.Signals) -> None:
    """Trains and sends a real signal in the middle of an epoch.

    Raises:
        DemoError: It did not end as the signal has it.
    """
    process = start(folder)
    while process.poll() is None and not (folder / FILE).exists():
        time.sleep(0.001)
    process.send_signal(number)
    process.communicate()
    if process.returncode != EXIT_CODES[number]:
        raise DemoError(f"{number.name}: exit code {process.returncode}; expected {EXIT_CODES[number]}")


def compare(whole: Path, other: Path) -> None:
    """Compares the last files of two trainings.

    Raises:
        DemoError: With the first difference.
    """
    one, two = (tenuto.read_checkpoint(folder / "latest.ckpt") for folder in (whole, other))
    difference = first_difference(one, two)
    if difference is not None:
        raise DemoError(f"{other.name}: not the file of the uninterrupted run; first difference: {difference}")
    console.print(f"    {other.name:7} sha256 {digest(two)}  [bold green]identical[/]", soft_wrap=True)


def interrupt_and_resume(name: str, number: signal.Signals, whole: Path) -> None:
    """Interrupts a training, resumes it with `--resume auto`, and compares."""
    folder = whole.parent / name
    interrupt(folder, number)
    goes_on = train(folder, "--resume", "auto").partition("\n")[0]
    console.print(f"    {number.name} after step 250, exit code {EXIT_CODES[number]}; resumed: {goes_on}")
    compare(whole, folder)


def in_torch(path: Path) -> list[int]:
    """Returns what the weights of a checkpoint say of each image of the validation set, by torch."""
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10)).double()
    training, validation = make_data()
    data = torch.utils.data.DataLoader(training, batch_size=32)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    trainer = tenuto.Trainer(model, optimizer, data, max_epochs=1, loss=nn.functional.cross_entropy)
    trainer.load_weights(tenuto.read_checkpoint(path))
    model.eval()
    with torch.no_grad():
        return [int(one) for one in model(validation.tensors[0].double()).argmax(dim=1)]


def in_mojo(path: Path) -> list[int]:
    """Returns the same by the program."""
    command = [str(PROGRAM), "--data", str(path.parent.parent / "digits.ckpt"), "--predict", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.split()]


def predict(path: Path) -> None:
    """Lets both sides say what they see.

    Raises:
        DemoError: They do not see the same.
    """
    torch_says, mojo_says = in_torch(path), in_mojo(path)
    if torch_says != mojo_says:
        raise DemoError(f"{path.name}: torch and Mojo see different digits in the validation set")
    right = sum(one == int(other) for one, other in zip(torch_says, make_data()[1].tensors[1], strict=True))
    console.print(f"    {len(torch_says)} images, {right} right, torch and Mojo say the same  [bold green]equal[/]")


def main() -> None:
    """Runs the demo."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "build/mojo-demo", help="folder, made anew")
    folder = parser.parse_args().output
    shutil.rmtree(folder, ignore_errors=True)
    export_digits(folder / "digits.ckpt")
    whole = folder / "whole"
    console.rule("(a) a training in Mojo, uninterrupted, with early stopping", align="left")
    console.print(train(whole).strip())
    console.rule("(b) Ctrl-C in the middle of an epoch, then --resume auto", align="left")
    interrupt_and_resume("ctrl_c", signal.SIGINT, whole)
    console.rule("(c) kill -9 in the middle of an epoch, then --resume auto", align="left")
    interrupt_and_resume("killed", signal.SIGKILL, whole)
    console.rule("(d) its best checkpoint, by tenuto inspect", align="left")
    best = whole / "best_model_val_loss.ckpt"
    subprocess.run([Path(sys.executable).parent / "tenuto", "inspect", best], check=True)
    console.rule("(e) its weights in torch", align="left")
    predict(best)


if __name__ == "__main__":
    try:
        main()
    except DemoError as error:
        console.print(f"[bold red]the demo failed:[/] {error}")
        sys.exit(1)
