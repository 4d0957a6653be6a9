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
    tensors: dict[str, torch.Tensor]  # "model.<name>", "optimizer.<parameter>.<name>" and "best.<name>"
    best_epoch: int = 0  # of the weights "best.<name>"; 0 where no best ones are kept
    best_accuracy: float = -1.0  # theirs, on the held-out images


class BestEpoch:
    """The weights of the epoch that was the best so far, the first of several that were equally good.

    Args:
        checkpoint: from which the run goes on.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.epoch, self.accuracy = checkpoint.best_epoch, checkpoint.best_accuracy
        self.weights = _named(checkpoint.tensors, "best")

    def see(self, epoch: int, accuracy: float, model: nn.Module) -> None:
        """Look at the weights after an epoch."""
        if accuracy > self.accuracy:
            self.epoch, self.accuracy, self.weights = epoch, accuracy, as_plain(model.state_dict())


def state(model: nn.Module, optimizer: Optimizer, best: BestEpoch) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in values.items() if value is not None}
    return as_plain(tensors | {f"best.{name}": tensor for name, tensor in best.weights.items()})


def _named(tensors: dict[str, torch.Tensor], kind: str) -> dict[str, torch.Tensor]:
    """The tensors of one kind, by the rest of their names."""
    return {name.removeprefix(f"{kind}."): tensor for name, tensor in tensors.items() if name.startswith(f"{kind}.")}


def restore(checkpoint: Checkpoint, model: nn.Module, optimizer: Optimizer) -> None:
    """Bring a model and its optimizer to where a checkpoint was taken."""
    moments: dict[int, dict[str, torch.Tensor]] = {}
    parameters = list(model.parameters())
    for name, tensor in _named(checkpoint.tensors, "optimizer").items():
        index, _, field = name.partition(".")
        # A fused step walks through memory: what belongs to a parameter must lie there in its layout.
        like = parameters[int(index)].detach()
        layout = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
        moments.setdefault(int(index), {})[field] = layout
    model.load_state_dict(_named(checkpoint.tensors, "model"))
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})


def save_checkpoint(checkpoint: Checkpoint) -> bytes:
    """A checkpoint as a safetensors file, its numbers in the header."""
    numbers = {name: value for name, value in vars(checkpoint).items() if name != "tensors"}
    return save(checkpoint.tensors, metadata={"numbers": json.dumps(numbers)})


def load_checkpoint(saved: bytes) -> Checkpoint:
    """The checkpoint that `save_checkpoint` has written."""
    # A safetensors file: the header's length in 8 bytes, the header as JSON, the tensors.
    header = json.loads(saved[8 : 8 + int.from_bytes(saved[:8], "little")])
    return Checkpoint(**json.loads(header["__metadata__"]["numbers"]), tensors=load(saved))
