"""How a picture becomes 28 x 28 pixels: which steps are done, and the picture after each."""

from __future__ import annotations

import numpy as np
import streamlit as st
from PIL import Image

from fmnist.data.catalog import DatasetInfo
from fmnist.predict import conversion
from fmnist.predict.conversion import OPTIONAL, USUALLY_WITHOUT, Converted

STEPS = {
    "trim": "Trim",
    "proportions": "Keep proportions",
    "sharpen": "Sharpen",
    "negate": "Invert",
    "stretch": "Increase contrast",
}
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


def show_steps(info: DatasetInfo, converted: Converted, plain: np.ndarray) -> None:
    """The picture after each step, and beside them what a plain resize would have made of it.

    Args:
        info: of the data set whose images it becomes like.
        plain: the plain resize, uint8 (28, 28).
    """
    framing = info.subject.framing
    centred = "centred on its centre of mass" if framing.by_mass else "centred"
    st.caption(
        f"Like the images of {info.title}: one {info.subject.thing}, light on black, its longer side {framing.side} "
        f"pixels long, {centred}."
    )
    tiles = "".join(_tile(name, step) for name, step in converted.steps)
    st.html(f'{CSS}<div class="steps">{tiles}{_tile("Plain resize", Image.fromarray(plain), "naive")}</div>')


def _tile(name: str, step: Image.Image, kind: str = "") -> str:
    """A picture with its name; large ones are reduced to what is shown."""
    small = step.copy()
    small.thumbnail((168, 168))
    return (
        f'<figure class="{kind}"><img src="{conversion.to_data_url(small)}" alt="{name}">'
        f"<figcaption>{name}</figcaption></figure>"
    )
