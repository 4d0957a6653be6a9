"""How a picture becomes 28 x 28 pixels: which steps are done, and the picture after each."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import streamlit as st
from PIL import Image

from fmnist.data.catalog import DATASETS, DatasetInfo
from fmnist.predict import conversion
from fmnist.predict.conversion import OPTIONAL, USUALLY_WITHOUT, Converted

STEPS = {
    "light": "Even the light",
    "cut-out": "Cut out",
    "trim": "Trim",
    "narrow": "Narrow spread clothes",
    "proportions": "Keep proportions",
    "sharpen": "Sharpen",
    "negate": "Invert",
    "stretch": "Increase contrast",
}
SHOWN = 168  # Pixels; twice those of a tile, for screens that have as many
CSS = """
<style>
.steps { display: flex; flex-wrap: wrap; gap: 10px; }
.steps figure { margin: 0; width: 84px; font-size: 0.78rem; }
.steps img { width: 84px; height: 84px; object-fit: contain; background: #808891; image-rendering: pixelated; }
.steps .naive { border-left: 2px solid #808891; padding-left: 10px; width: 96px; }
</style>
"""


def choose_steps() -> frozenset[str]:
    """Switches for the steps of the conversion; those that are left out."""
    chosen = st.pills(
        "Steps applied",
        list(STEPS),
        selection_mode="multi",
        default=[step for step in OPTIONAL if step not in USUALLY_WITHOUT],
        format_func=STEPS.__getitem__,
        key="steps",
        bind="query-params",
    )
    return frozenset(OPTIONAL) - frozenset(chosen)


def convert(picture: Image.Image, dataset: str, without: frozenset[str], drawn: bool) -> Converted:
    """A picture as an image of a data set; of several items in it the largest, or another one that is chosen here.

    Args:
        drawn: then all of it is one item.

    Raises:
        ImageError: there is nothing in it.
    """
    converted = _converted(picture, dataset, without, None if drawn else 0)
    if drawn or converted.items == 1:
        return converted
    chosen = st.segmented_control(
        f"{converted.items} items are in the picture",
        [*range(converted.items), -1],
        default=0,
        required=True,
        format_func=lambda item: {-1: "All together", 0: "The largest"}.get(item, f"Number {item + 1}"),
        key=f"item-{zlib.crc32(picture.tobytes())}",  # Of this picture: of the next one it is the largest again.
    )
    return _converted(picture, dataset, without, None if chosen == -1 else chosen)


@st.cache_data(max_entries=50, show_spinner=False)
def _converted(picture: Image.Image, dataset: str, without: frozenset[str], item: int | None) -> Converted:
    """`conversion.convert`, with the steps as small as they are shown."""
    converted = conversion.convert(picture, DATASETS[dataset].subject.framing, without=without, item=item)
    steps = []
    for name, step in converted.steps:
        small = step.copy()
        small.thumbnail((SHOWN, SHOWN))
        steps.append((name, small))
    return replace(converted, steps=tuple(steps))


def show_steps(info: DatasetInfo, converted: Converted, plain: np.ndarray) -> None:
    """The picture after each step, and beside them what a plain resize would have made of it.

    Args:
        info: of the data set whose images it becomes like.
        plain: the plain resize, uint8 (28, 28).
    """
    framing = info.subject.framing
    centred = "centred on its centre of mass" if framing.by_mass else "centred"
    st.caption(
        f"Each image of {info.title} shows one {info.subject.thing}, light on black, its longer side {framing.side} "
        f"pixels long, {centred}. These steps make the picture one like them."
    )
    tiles = "".join(_tile(name, step) for name, step in converted.steps)
    st.html(f'{CSS}<div class="steps">{tiles}{_tile("Plain resize", Image.fromarray(plain), "naive")}</div>')


def _tile(name: str, step: Image.Image, kind: str = "") -> str:
    """A picture with its name."""
    return (
        f'<figure class="{kind}"><img src="{conversion.to_data_url(step)}" alt="{name}">'
        f"<figcaption>{name}</figcaption></figure>"
    )
