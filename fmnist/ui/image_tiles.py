"""Images side by side, each with a caption."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import streamlit as st

from fmnist.predict.conversion import to_data_url

TILE = 4  # A 28 x 28 image is sent four times as large, its pixels kept sharp.


def image_tiles(images: np.ndarray, captions: Sequence[str], layout: str = "") -> None:
    """Images with captions, side by side, wrapping at the page's width.

    Args:
        images: uint8 (N, 28, 28).
        captions: plain text, one each; lines are separated by newlines.
        layout: "" for readable captions, "small" for many images, "ten" for one of each class.
    """
    figures = []
    for image, caption in zip(images, captions, strict=True):
        lines = html.escape(caption).replace("\n", "<br>")
        text = html.escape(caption.replace("\n", ", "), quote=True)
        figures.append(
            f'<figure><img src="{to_data_url(image, TILE)}" alt="{text}"><figcaption>{lines}</figcaption></figure>'
        )
    st.html(f'<div class="tiles {layout}">{"".join(figures)}</div>')
