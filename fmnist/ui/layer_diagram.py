"""A small diagram of a network: its layers from top to bottom, each with the shape of what it gives, drawn to scale."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from fmnist.data.framing import SIDE
from fmnist.models.registry import Architecture

CSS = """
.layers { list-style: none; margin: 0; padding: 0 !important; font-size: 0.8rem; line-height: 1.2; }
.layers li {
  display: grid; grid-template-columns: 44px 1fr auto; gap: 10px; align-items: center; height: 22px; margin: 0;
  padding: 0; font-size: inherit;
}
.layers .glyph { display: grid; place-items: center; height: 100%; position: relative; }
.layers li + li .glyph::before {
  content: ""; position: absolute; top: -4px; height: 6px; border-left: 1px solid currentColor; opacity: 0.5;
}
.layers .glyph i {
  display: block; border: 1px solid var(--model); border-radius: 1px;
  background: color-mix(in srgb, var(--model) 22%, transparent);
}
.layers .deep i {
  box-shadow:
    2px -2px color-mix(in srgb, var(--model) 55%, transparent),
    4px -4px color-mix(in srgb, var(--model) 30%, transparent);
}
.layers .image i { border-color: currentColor; background: color-mix(in srgb, currentColor 22%, transparent); }
"""
WIDEST, TALLEST = 40, 15  # Pixels: of a row of 784 numbers, and of a map of 28 x 28.


@dataclass(frozen=True)
class Step:
    """What some layers do to an image, and the shape (C, H, W) or (F,) of what they give."""

    label: str
    shape: tuple[int, ...]


def steps(architecture: Architecture) -> list[Step]:
    """The image, and what the layers make of it: a ReLU goes with the layer before it, and equal ones are counted.

    Args:
        architecture: one of the project's, whose shapes are known.
    """
    found = [Step("Image", (1, SIDE, SIDE))]
    for (_, kind), shape in zip(architecture.modules, architecture.shapes, strict=True):
        if kind == "ReLU":
            found[-1] = Step(f"{found[-1].label} + ReLU", shape)
        else:
            found.append(Step(kind, shape))
    return list(_counted(found))


def _counted(found: list[Step]) -> Iterator[Step]:
    """Of equal steps in a row, one that says how many they are; but not of rows of numbers, where each is drawn."""
    for step, equal in groupby(found):
        count = len(list(equal))
        if len(step.shape) > 1 and count > 1:
            yield Step(f"{count} × {step.label}", step.shape)
        else:
            yield from [step] * count


def layer_diagram(architecture: Architecture) -> str:
    """The diagram as HTML: a list that reads well without its drawings. Its colour is the variable --model."""
    lines = [
        f'<li><span class="glyph {_kind(step)}" aria-hidden="true"><i style="{_size(step.shape)}"></i></span>'
        f"<span>{html.escape(step.label)}</span><span>{' × '.join(map(str, step.shape))}</span></li>"
        for step in steps(architecture)
    ]
    label = f"Layers of {architecture.name}, with the shape of what each gives"
    return f'<ol class="layers" aria-label="{html.escape(label)}">{"".join(lines)}</ol>'


def _kind(step: Step) -> str:
    if step.label == "Image":
        return "image"
    return "deep" if len(step.shape) > 1 else ""


def _size(shape: tuple[int, ...]) -> str:
    """How large it is drawn: maps by their sides, rows of numbers by the root of their count."""
    if len(shape) == 1:
        return f"width: {max(5, WIDEST * math.sqrt(shape[0]) / SIDE):.0f}px; height: 5px"
    return "; ".join(
        f"{name}: {TALLEST * side / SIDE:.0f}px" for name, side in zip(("height", "width"), shape[1:], strict=True)
    )
