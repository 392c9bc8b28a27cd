"""Saves at the end of an epoch alone, whatever happens before."""

from parts import make


def build(config):
    return make(config, save_on_exception=False)
