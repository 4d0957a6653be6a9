"""Images side by side, each with a caption: to look at, or to be clicked."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from fmnist.predict.conversion import to_data_url
from fmnist.ui.component import component

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


def image_buttons(
    images: np.ndarray,
    numbers: Sequence[int],
    captions: Sequence[str],
    opened: int | None,
    on_open: Callable[[int], None],
    key: str = "tiles",
) -> None:
    """Images with captions that can be clicked, or reached by Tab and pressed.

    Args:
        images: uint8 (N, 28, 28).
        numbers: one each, by which it is known which was clicked.
        captions: as for `image_tiles`.
        opened: the number of the one that is open already.
        on_open: called with the number of the image that was clicked, before the page runs again.
    """

    def clicked() -> None:
        number = st.session_state[key].get("opened")
        if number in numbers:  # What a browser sends may be anything.
            on_open(int(number))

    tiles = [
        {"number": int(number), "address": to_data_url(image, TILE), "lines": caption.split("\n")}
        for image, number, caption in zip(images, numbers, captions, strict=True)
    ]
    buttons = component("image_buttons", '<div class="tiles"></div>')
    buttons(key=key, data={"tiles": tiles, "open": opened}, on_opened_change=clicked)
