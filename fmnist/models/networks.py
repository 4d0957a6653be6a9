"""The three networks. One is added here and nowhere else: every page, the command line and the tests then have it.

Write a function that builds it, and register it. It imports torch when it is called, not before: the pages list, name
and colour models all the time, and must not pay two seconds and half a gigabyte for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmnist.models.registry import ARCHITECTURES, register

if TYPE_CHECKING:
    from torch import nn


@register(
    "0",
    "Model 0",
    "Flatten, Linear(784, 10)",
    into=ARCHITECTURES,
    color="#0077BB",
    symbol="circle",
    modules=("Flatten", "Linear"),
    shapes=((784,), (10,)),
    kind="Linear",
    gist="One weight for each pixel and class",
)
def linear() -> nn.Module:
    """Softmax regression: one weight per pixel and class. 7,850 parameters."""
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


@register(
    "1",
    "Model 1",
    "Flatten, Linear(784, 10), ReLU, Linear(10, 10), ReLU",
    into=ARCHITECTURES,
    color="#EE7733",
    symbol="square",
    modules=("Flatten", "Linear", "ReLU", "Linear", "ReLU"),
    shapes=((784,), *4 * ((10,),)),
    kind="MLP with ReLU",
    gist="Two layers, negative values set to zero",
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
    into=ARCHITECTURES,
    color="#009988",
    symbol="diamond",
    channels_last=True,
    parts=2,
    compiled=True,
    modules=(*(2 * ("Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d")), "Flatten", "Linear"),
    shapes=(*4 * ((10, 28, 28),), *5 * ((10, 14, 14),), (10, 7, 7), (490,), (10,)),
    kind="TinyVGG (CNN)",
    gist="Looks for small patterns, step by step",
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
