"""The architectures, and everything that the rest of the project knows about them.

A model is added here and nowhere else: write a function that builds it and register it. Every page, the
command line and the tests then have it.

The functions import torch when they are called, not before: the pages list, name and colour models
all the time, and must not pay two seconds and half a gigabyte for it.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Architecture:
    """A model that can be trained, and how it is shown."""

    id: str
    """What recipes and `--models` call it."""
    name: str
    layers: str
    """Its layers in one line, for people."""
    color: str
    """Its colour on every page: Tol's "vibrant" scheme, told apart with every kind of colour blindness."""
    symbol: str
    """Its Plotly marker, so that colour is never the only difference."""
    build: Callable[[], nn.Module]
    """Makes the module: float32 (N, 1, 28, 28) in [0, 1] -> logits (N, 10)."""
    channels_last: bool
    """Convolutions on a CPU run faster with the channels as the innermost dimension."""
    parts: int
    """In how many parts, on as many CPU threads, a step is computed: 1 unless there is much arithmetic in it."""

    @cached_property  # Every key asks for it, and a sweep has a thousand keys.
    def definition(self) -> str:
        """The building function's code without comments, layout and docstring: what a cached result depends on."""
        function = ast.parse(textwrap.dedent(inspect.getsource(self.build))).body[0]
        assert isinstance(function, ast.FunctionDef)
        function.decorator_list = []
        if ast.get_docstring(function) is not None:
            function.body = function.body[1:]
        return ast.unparse(function)


ARCHITECTURES: dict[str, Architecture] = {}
"""By id, the cheapest to train first: the queue keeps this order, so that results come early."""


def register(
    id: str,
    name: str,
    layers: str,
    *,
    color: str,
    symbol: str,
    channels_last: bool = False,
    parts: int = 1,
) -> Callable[[Callable[[], nn.Module]], Callable[[], nn.Module]]:
    """Make the decorated function a model of the project."""

    def add(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
        ARCHITECTURES[id] = Architecture(id, name, layers, color, symbol, build, channels_last, parts)
        return build

    return add


@register("0", "Model 0", "Flatten, Linear(784, 10)", color="#0077BB", symbol="circle")
def linear() -> nn.Module:
    """Softmax regression: one weight per pixel and class. 7,850 parameters."""
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


@register(
    "1",
    "Model 1",
    "Flatten, Linear(784, 10), ReLU, Linear(10, 10), ReLU",
    color="#EE7733",
    symbol="square",
)
def rectified() -> nn.Module:
    """Two layers with a ReLU after each. 7,960 parameters.

    The last ReLU belongs to the published model: it holds negative logits at 0, so a class whose logit
    is never positive gets no gradient and can never be predicted again.
    """
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.ReLU(), nn.Linear(10, 10), nn.ReLU())


@register(
    "2",
    "Model 2",
    "2 × [Conv2d(10), ReLU, Conv2d(10), ReLU, MaxPool2d(2)], Flatten, Linear(490, 10)",
    color="#009988",
    symbol="diamond",
    channels_last=True,
    parts=2,
)
def tiny_vgg() -> nn.Module:
    """TinyVGG (poloclub.github.io/cnn-explainer), padded, so that 28 x 28 halves twice to 7 x 7. 7,740 parameters."""
    from torch import nn

    def block(channels_in: int) -> list[nn.Module]:
        return [
            nn.Conv2d(channels_in, 10, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),  # The same numbers, less memory moved: 8 to 14% less time on one thread.
            nn.Conv2d(10, 10, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        ]

    return nn.Sequential(*block(1), *block(10), nn.Flatten(), nn.Linear(10 * 7 * 7, 10))
