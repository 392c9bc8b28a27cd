"""Nothing is broken here."""

from parts import make


def build(config):
    return make(config, save_every_steps=2)
