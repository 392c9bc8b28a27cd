"""The callbacks that look at a model of torch, and saving from a loop of one's own: all of them import torch."""
