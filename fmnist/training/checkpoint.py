"""Checkpoint: a run at the end of an epoch, from which it can go on. Imports torch."""

from __future__ import annotations

import json
from dataclasses import dataclass

import torch
from safetensors.torch import load, save
from torch import nn

from fmnist.models.inference import as_plain
from fmnist.training.optimizers import Optimizer


@dataclass(frozen=True)
class Checkpoint:
    """A run at the end of an epoch."""

    epoch: int
    train_seconds: float
    eval_seconds: float
    tensors: dict[str, torch.Tensor]  # "model.<name>" and "optimizer.<parameter>.<name>"


def state(model: nn.Module, optimizer: Optimizer) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in values.items() if value is not None}
    return as_plain(tensors)


def restore(checkpoint: Checkpoint, model: nn.Module, optimizer: Optimizer) -> None:
    """Bring a model and its optimizer to where a checkpoint was taken."""
    weights: dict[str, torch.Tensor] = {}
    moments: dict[int, dict[str, torch.Tensor]] = {}
    parameters = list(model.parameters())
    for name, tensor in checkpoint.tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "model":
            weights[rest] = tensor
        else:
            index, _, field = rest.partition(".")
            # A fused step walks through memory: what belongs to a parameter must lie there in its layout.
            like = parameters[int(index)].detach()
            layout = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
            moments.setdefault(int(index), {})[field] = layout
    model.load_state_dict(weights)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})


def save_checkpoint(checkpoint: Checkpoint) -> bytes:
    """A checkpoint as a safetensors file, its numbers in the header."""
    numbers = {
        "epoch": checkpoint.epoch,
        "train_seconds": checkpoint.train_seconds,
        "eval_seconds": checkpoint.eval_seconds,
    }
    return save(checkpoint.tensors, metadata={"numbers": json.dumps(numbers)})


def load_checkpoint(saved: bytes) -> Checkpoint:
    """The checkpoint that `save_checkpoint` has written."""
    # A safetensors file: the header's length in 8 bytes, the header as JSON, the tensors.
    header = json.loads(saved[8 : 8 + int.from_bytes(saved[:8], "little")])
    return Checkpoint(**json.loads(header["__metadata__"]["numbers"]), tensors=load(saved))
