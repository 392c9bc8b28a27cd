"""The weights are drawn before anything is seeded."""

from parts import make


def build(config):
    return make(config, seeded=False)
