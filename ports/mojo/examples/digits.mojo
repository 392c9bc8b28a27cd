"""Handwritten digits in Mojo: a network of one's own with dropout and momentum,
early stopping, checkpoints, Ctrl-C, and a resume to the same bytes.

Run it:       digits --data digits.ckpt --output runs/digits
Continue it:  digits --data digits.ckpt --output runs/digits --resume auto
Ask it:       digits --data digits.ckpt --predict runs/digits/latest.ckpt
"""
from std.sys import argv, exit
from network import Network, best_of
from tenuto import (
    AnyCallback,
    Callback,
    CheckpointCallback,
    CheckpointSettings,
    Context,
    EarlyStopping,
    TenutoError,
    Trainer,
    TrainerSettings,
    read_file,
)
from workload import DigitsWorkload


struct Watch(Callback):
    """Prints each epoch."""

    def __init__(out self):
        pass

    def on_train_start(mut self, context: Context) raises TenutoError:
        if context.resumed:
            print("goes on at step", context.progress.global_step, flush=True)

    def on_epoch_end(mut self, context: Context) raises TenutoError:
        ref metrics = context.metrics()
        print(
            String(
                "epoch ",
                context.progress.epoch,
                ": validation loss ",
                metrics.get("val_loss").value().value,
                ", accuracy ",
                metrics.get("val_accuracy").value().value,
            ),
            flush=True,
        )


def option(name: StringSpan, otherwise: StringSpan = "") -> String:
    """What follows a word on the command line."""
    var words = argv()
    for i in range(1, len(words) - 1):
        if words[i].as_bytes() == name.as_bytes():
            return String(words[i + 1])
    return String(otherwise)


def train(folder: String) raises TenutoError:
    """Train to the end, from the start or from where a run was."""
    var saving = CheckpointSettings(folder)
    saving.save_every_steps = 25
    saving.keep_last_n = 3
    var stopping = EarlyStopping()
    stopping.patience = 3
    var callbacks = List[AnyCallback]()
    callbacks.append(Watch())
    callbacks.append(stopping^)
    callbacks.append(CheckpointCallback(saving^))
    var trainer = Trainer(
        DigitsWorkload(option("--data")), TrainerSettings(40), callbacks^
    )
    var result = trainer.fit(option("--resume", "never"))
    print("finished:", result.progress.epoch, "epochs")
    if result.stop_reason:
        print("stopped:", result.stop_reason.value())


def predict(path: String) raises TenutoError:
    """Print what a checkpoint says of each image of the validation set."""
    var workload = DigitsWorkload(option("--data"))
    workload.restore(read_file(path).take())
    for i in range(len(workload.validation.labels)):
        print(best_of(workload.network.logits(workload.validation, i)))


def main() raises:
    try:
        var path = option("--predict")
        if path:
            predict(path)
        else:
            train(option("--output", "build/digits"))
    except e:
        print(String("digits: ", e))
        exit(e.exit_code if e.exit_code > 0 else 1)
