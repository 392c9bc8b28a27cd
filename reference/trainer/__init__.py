"""The trainer: loop, dispatch, failure path, restore and resume. Modules named `torch_*` alone import torch."""
