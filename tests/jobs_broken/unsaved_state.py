"""The loss is weighed by a running mean that no checkpoint holds."""

import parts


def build(config):
    mean = [1.0]

    def step(model, batch):
        loss = parts.step(model, batch)["loss"]
        mean[0] = 0.9 * mean[0] + 0.1 * loss.item()
        return {"loss": loss / mean[0]}

    return parts.make(config, step)
