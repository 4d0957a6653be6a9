"""What changes the weights in a step: the optimizers of a recipe."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol

import torch
from torch import nn

from fmnist.recipe import Recipe

MOMENTUM = 0.9
"""Of the optimizer sgd-momentum."""


class Optimizer(Protocol):
    """What training and checkpoints need of an optimizer; PyTorch's have it."""

    param_groups: list[dict[str, Any]]
    """One, with the learning rate of the next step under "lr"."""

    def step(self) -> object:
        """Change the weights by their gradients."""

    def state_dict(self) -> dict[str, Any]:
        """Under "state", the tensors that it keeps from step to step: by parameter, counted from 0, and name."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with these."""


def optimizer_of(recipe: Recipe, model: nn.Module) -> Optimizer:
    """The optimizer of a recipe, for the weights of a model."""
    if recipe.weight_decay:
        return torch.optim.AdamW(
            model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
    if recipe.optimizer == "adam":
        return torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, fused=True)
    return Sgd(model.parameters(), recipe.learning_rate, MOMENTUM if recipe.optimizer == "sgd-momentum" else 0.0)


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate of a step.

    By the cosine schedule it falls from that of the recipe to zero over the whole run (Loshchilov and Hutter 2017,
    https://arxiv.org/abs/1608.03983, equation 5, without restarts), as PyTorch's CosineAnnealingLR has it.

    Args:
        step: how many were made before.
        steps: of the whole run.
    """
    if recipe.schedule == "constant":
        return recipe.learning_rate
    return recipe.learning_rate * (1 + math.cos(math.pi * step / steps)) / 2


class Sgd:
    """Stochastic gradient descent. Gives the weights that `torch.optim.SGD` gives, bit for bit.

    Each optimizer of PyTorch loads its compiler (torch._dynamo) when it is made, to keep it from compiling: more than a
    second, for which the first point of a curve would come later.

    Args:
        momentum: 0 for none.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float, momentum: float = 0.0) -> None:
        self._parameters = list(parameters)
        self.param_groups: list[dict[str, Any]] = [{"lr": learning_rate}]
        self._momentum = momentum
        self._moments: dict[int, torch.Tensor] = {}

    @torch.no_grad()
    def step(self) -> None:
        rate = self.param_groups[0]["lr"]
        for index, parameter in enumerate(self._parameters):
            if (gradient := parameter.grad) is not None:  # It is not frozen.
                parameter.add_(self._moment(index, gradient) if self._momentum else gradient, alpha=-rate)

    def _moment(self, index: int, gradient: torch.Tensor) -> torch.Tensor:
        if index in self._moments:
            self._moments[index].mul_(self._momentum).add_(gradient)
        else:
            self._moments[index] = gradient.clone()
        return self._moments[index]

    def state_dict(self) -> dict[str, Any]:
        return {"state": {index: {"momentum_buffer": moment} for index, moment in self._moments.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._moments = {index: values["momentum_buffer"] for index, values in state_dict["state"].items()}
