"""Many small images at once: those of a row, or of a grid, are sent as one picture."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import streamlit as st

from fmnist.predict.conversion import to_data_url

GAP = 2  # Pixels between the images of a row.
CSS = """
<style>
.strips { display: grid; grid-template-columns: 7.5rem minmax(0, 1fr); gap: 6px 12px; align-items: center; }
.strips span { font-size: 0.85rem; line-height: 1.25; }
.strips div { overflow-x: auto; border-radius: 4px; background: black; }
.strips img { display: block; height: 44px; width: auto; max-width: none; image-rendering: pixelated; }
.tiles i { display: block; aspect-ratio: 1; border-radius: 4px; background: var(--strip); image-rendering: pixelated; }
@media (max-width: 640px) { .strips { grid-template-columns: 5.5rem minmax(0, 1fr); } }
</style>
"""


def picture_rows(rows: Sequence[tuple[str, np.ndarray]]) -> None:
    """A row of images for each name, which scrolls where they do not fit.

    Args:
        rows: names, plain text, each with its images, uint8 (N, 28, 28).
    """
    parts = []
    for name, images in rows:
        said = html.escape(name, quote=True)
        picture = f'<img src="{to_data_url(_side_by_side(images))}" alt="Pictures: {said}">' if len(images) else ""
        parts.append(f'<span>{said}</span><div tabindex="0" role="group" aria-label="{said}">{picture}</div>')
    st.html(f'{CSS}<div class="strips">{"".join(parts)}</div>')


def picture_grid(images: np.ndarray, captions: Sequence[str]) -> None:
    """Images with a line below each, wrapping at the page's width.

    Args:
        images: uint8 (N, 28, 28).
        captions: plain text, one each.
    """
    if not len(images):
        return
    figures = []
    for place, caption in enumerate(captions):
        said = html.escape(caption, quote=True)
        left = 100 * place / max(1, len(images) - 1)
        style = f"background-size: {100 * len(images)}% 100%; background-position: {left:.6g}% 0"
        figures.append(
            f'<figure><i role="img" aria-label="{said}" style="{style}"></i><figcaption>{said}</figcaption></figure>'
        )
    address = to_data_url(np.hstack(list(images)))
    st.html(f'{CSS}<div class="tiles small" style="--strip: url({address})">{"".join(figures)}</div>')


def _side_by_side(images: np.ndarray) -> np.ndarray:
    """Images as one, uint8 (28, N * 28 + gaps)."""
    padded = np.pad(images, ((0, 0), (0, 0), (0, GAP)))
    return np.hstack(list(padded))[:, :-GAP]
