"""The main job, end to end: train, kill -9 in the middle of an epoch, resume, and compare the last files.

`make demo` runs it. `python examples/demo.py --random-kills 10` kills ten more runs at random steps.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from attrs import frozen
from demo_report import draw_losses, last_step, print_folder, read_losses
from rich.console import Console

from tenuto.reference.checkpoint import read_checkpoint
from tenuto.reference.checkpoint.compare import digest, first_difference

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "demo"
FINAL = "checkpoint_epoch_0012.ckpt"
LAST_STEP = 540
KILL_STEP = 253  # in the middle of epoch 6, 13 steps after the last checkpoint
TENUTO = Path(sys.executable).parent / "tenuto"
SIGNALS = {"killed": signal.SIGKILL, "ctrl_c": signal.SIGINT, "sigterm": signal.SIGTERM}
EXIT_CODES = {signal.SIGKILL: -signal.SIGKILL, signal.SIGINT: 130, signal.SIGTERM: 143}

console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)


class DemoError(Exception):
    """The demo did not show what it claims."""


@frozen
class Interruption:
    """What happened to an interrupted run.

    Attributes:
        exit_code: Of the interrupted process; negative for the signal that killed it.
        step: The last step that it logged.
    """

    exit_code: int
    step: int


def start(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """Starts `tenuto train examples/digits.py` as a process of its own."""
    command = [str(TENUTO), "train", str(ROOT / "examples/digits.py"), "--output", str(folder), "--quiet", *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def train(folder: Path, *options: str) -> None:
    """Trains to the end."""
    code = start(folder, *options).wait()
    if code != 0:
        raise DemoError(f"training in {folder}: exit code {code}; expected 0")


def train_and_interrupt(folder: Path, number: signal.Signals, step: int) -> Interruption:
    """Trains and sends a real signal once a step is reached."""
    process = start(folder)
    while last_step(folder) < step and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(number)
    exit_code = process.wait()
    console.show_cursor()  # a killed process cannot give it back
    return Interruption(exit_code, last_step(folder))


def compare(name: str, folder: Path) -> None:
    """Compares the last file of a run with that of the uninterrupted one, and says so.

    Raises:
        DemoError: With the first difference.
    """
    one, other = read_checkpoint(FOLDER / "uninterrupted" / FINAL), read_checkpoint(folder / FINAL)
    difference = first_difference(one, other)
    if difference is not None:
        raise DemoError(f"{name}: not the file of the uninterrupted run; first difference: {difference}")
    console.print(f"    uninterrupted  sha256 {digest(one)}", soft_wrap=True)
    console.print(f"    {name:13}  sha256 {digest(other)}  [bold green]identical[/]", soft_wrap=True)


def interrupt_and_resume(name: str, number: signal.Signals, step: int) -> Interruption:
    """Interrupts a run, resumes it with `--resume auto`, and compares."""
    folder = FOLDER / name
    happened = train_and_interrupt(folder, number, step)
    if happened.exit_code != EXIT_CODES[number]:
        message = f"{name}: exit code {happened.exit_code} at step {happened.step}; expected {EXIT_CODES[number]}"
        raise DemoError(message)
    console.print(f"    {number.name} at step {happened.step} of {LAST_STEP}, exit code {happened.exit_code}")
    train(folder, "--resume", "auto")
    compare(name, folder)
    return happened


def recode_in_mojo(path: Path) -> None:
    """Lets the Mojo port read a checkpoint and write it again; the bytes have to be the same."""
    port = ROOT / "ports/mojo/port.toml"
    done = subprocess.run(
        [str(TENUTO), "conformance", "file", str(path), "--port", str(port)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise DemoError(f"the Mojo port: {done.stdout}{done.stderr}")
    console.print(f"    {done.stdout.strip()}  [bold green]same bytes[/]")


def kill_at_random(count: int) -> None:
    """Kills further runs at random steps of the training."""
    for number in range(1, count + 1):
        step = random.randint(1, LAST_STEP - 20)
        console.rule(f"random kill {number} of {count}", align="left")
        interrupt_and_resume(f"random_{number}", signal.SIGKILL, step)


def main() -> None:
    """Runs the demo."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random-kills", type=int, default=0, metavar="N", help="kill N more runs at random steps")
    arguments = parser.parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    console.rule("(a) train on handwritten digits, uninterrupted", align="left")
    train(FOLDER / "uninterrupted")
    happened = {}
    for letter, (name, number) in zip(("b, c, d", "e", "e"), SIGNALS.items(), strict=True):
        console.rule(f"({letter}) train again, {number.name} in mid-epoch, --resume auto, compare", align="left")
        happened[name] = interrupt_and_resume(name, number, KILL_STEP)
    kill_at_random(arguments.random_kills)
    console.rule("(f) the same file, read and written by the Mojo port", align="left")
    recode_in_mojo(FOLDER / "killed" / FINAL)
    console.rule("what is on disk, and why", align="left")
    print_folder(console, FOLDER / "killed")
    losses = {name: read_losses(FOLDER / name) for name in ("uninterrupted", "killed")}
    picture = draw_losses(FOLDER / "loss.png", losses["uninterrupted"], losses["killed"], happened["killed"].step)
    console.print(f"accuracy on the validation set: {losses['killed'].accuracy:.1%}")
    console.print(f"loss curves: {picture.relative_to(ROOT)}")


if __name__ == "__main__":
    try:
        main()
    except DemoError as error:
        console.print(f"[bold red]the demo failed:[/] {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("interrupted")
        sys.exit(130)
