"""Whether a model is a plain chain of layers, and which: exactly, because kernels then compute without PyTorch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from fmnist.data.framing import SIDE

IMAGE = (1, SIDE, SIDE)


@dataclass(frozen=True)
class Layer:
    """One module of a chain, and the sizes (C, H, W) or (F,) of what it takes and gives."""

    module: nn.Module
    takes: tuple[int, ...]
    gives: tuple[int, ...]


def chain(model: nn.Module, image: tuple[int, int, int] = IMAGE) -> list[Layer] | None:
    """The layers of a model that is nothing but Conv2d(3 x 3, padding 1), ReLU, MaxPool2d(2), Flatten and Linear in a
    Sequential, with float32 weights on the CPU, all of them trained; None for any other.

    Args:
        image: channels, height and width.
    """
    layers: list[Layer] = []
    size: tuple[int, ...] = image
    for module in _modules(model):
        given = _gives(module, size)
        if given is None or _is_watched(module):
            return None
        layers.append(Layer(module, size, given))
        size = given
    parameters = [parameter for layer in layers for parameter in layer.module.parameters()]
    # One module in two places would have its parameters twice here, and once in the model.
    ours = [*map(id, parameters)] == [*map(id, model.parameters())]
    plain = all(p.requires_grad and p.dtype == torch.float32 and p.device.type == "cpu" for p in parameters)
    return layers if layers and len(size) == 1 and ours and plain else None


def convolves(model: nn.Module) -> bool:
    """Whether a model is a chain with a convolution: it gains by compiled kernels. A linear layer alone does not."""
    return any(isinstance(layer.module, nn.Conv2d) for layer in chain(model) or [])


def _modules(model: nn.Module) -> Iterator[nn.Module]:
    if type(model) is nn.Sequential and not _is_watched(model):
        for module in model:
            yield from _modules(module)
    else:
        yield model


def _is_watched(module: nn.Module) -> bool:
    """Whether somebody hooked in, who would not be called."""
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return any(hooks)


def _gives(module: nn.Module, size: tuple[int, ...]) -> tuple[int, ...] | None:
    """The size of what a module makes of something of this size; None if it is none of ours, or does not fit.

    A class that somebody has derived may do anything: it is none of ours.
    """
    if type(module) not in (nn.ReLU, nn.Flatten, nn.Linear, nn.Conv2d, nn.MaxPool2d):
        return None
    match module, size:
        case nn.ReLU(), _:
            return size
        case nn.Flatten(start_dim=1, end_dim=-1), _:
            return (math.prod(size),)
        case nn.Linear() as linear, (count,) if count == linear.in_features:
            return (linear.out_features,)
        case nn.Conv2d() as convolution, (channels, height, width) if channels == convolution.in_channels:
            return (convolution.out_channels, height, width) if _keeps_the_size(convolution) else None
        case nn.MaxPool2d() as pooling, (channels, height, width) if min(height, width) > 1 and _halves(pooling):
            return (channels, height // 2, width // 2)
    return None


def _keeps_the_size(module: nn.Conv2d) -> bool:
    found = (module.kernel_size, module.stride, module.dilation, module.groups, module.padding_mode)
    return found == ((3, 3), (1, 1), (1, 1), 1, "zeros") and module.padding in ((1, 1), "same")


def _halves(module: nn.MaxPool2d) -> bool:
    found = (module.kernel_size, module.stride, module.padding, module.dilation)
    plain = not module.ceil_mode and not module.return_indices
    return plain and found in ((2, 2, 0, 1), ((2, 2), (2, 2), (0, 0), (1, 1)))
