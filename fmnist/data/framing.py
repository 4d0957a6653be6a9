"""How things stand in the images of a data set. It needs nothing else of this project: exports copy it."""

from __future__ import annotations

from dataclasses import dataclass

SIDE = 28
"""Height and width of an image, in pixels: of every data set, and what the models take."""


@dataclass(frozen=True)
class Framing:
    """How large a thing stands in its image of 28 x 28 pixels, and where."""

    side: int = SIDE  # pixels of its longer side
    by_mass: bool = False  # whether its centre of mass is in the middle of the image; else the middle of its extent
    hangs: bool = (
        False  # whether it is in one piece and hangs down, as clothes do; then what lies apart is another item
    )


HANGING = Framing(hangs=True)
"""FashionMNIST (Xiao, Rasul and Vollgraf 2017, section 2)."""

FILLING = Framing()
"""KMNIST: its paper does not say how (Clanuwat and others 2018), but its characters reach the edges, as clothes do."""

CENTRED = Framing(side=20, by_mass=True)
"""MNIST (yann.lecun.com/exdb/mnist), and QMNIST, which follows it (Yadav and Bottou 2019). In 10,000 digits of MNIST
the longer side has 20 pixels but for two; the centre of mass is within half a pixel of (14, 14), from 0 on, in all."""
