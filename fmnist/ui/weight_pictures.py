"""Model 0's weights as ten pictures: what it looks for in a picture of each class, while it learns it."""

from __future__ import annotations

import html
from collections.abc import Callable

import numpy as np
import streamlit as st

from fmnist.compare.pixel_weights import PixelWeights, last_epoch, pixel_weights
from fmnist.predict.conversion import to_data_url
from fmnist.store.library import Library
from fmnist.store.run import Run
from fmnist.ui.diverging import brightest, colored, scale
from fmnist.ui.page import is_dark
from fmnist.words import escape

CSS = """
<style>
.weights { display: grid; grid-template-columns: repeat(10, 1fr); gap: 10px; }
@media (max-width: 800px) { .weights { grid-template-columns: repeat(5, 1fr); } }
.weights figure { margin: 0; font-size: 0.8rem; line-height: 1.3; text-align: center; }
.weights span {
  display: block; aspect-ratio: 1; border-radius: 4px; background: var(--weights) 0 / 1000% 100%;
  image-rendering: pixelated; outline: 1px solid #80889166;
}
</style>
"""


def show(library: Library, run: Run | None, name: Callable[[Run], str]) -> None:
    """The weights of a run of Model 0 after its last stored epoch; None for one that has not begun.

    Args:
        name: of the run, for people.
    """
    found = None
    if run is not None:
        key = (str(library.own.path), run.id, run.created, run.status, last_epoch(library, run))
        found = _weights(key, library, run)
    if run is None or found is None:
        st.caption("The weights appear after the first epoch.")
        return
    classes, dark = run.recipe.info.classes, is_dark()
    limit = brightest(found.weights)
    picture = to_data_url(colored(np.hstack(list(found.weights)), limit, dark))
    figures = "".join(
        f'<figure><span role="img" aria-label="Weights of {html.escape(label)}: {_where(weights)}" '
        f'style="background-position-x: {100 * place / (len(classes) - 1):.4g}%"></span>'
        f"<figcaption>{html.escape(label)}</figcaption></figure>"
        for place, (label, weights) in enumerate(zip(classes, found.weights, strict=True))
    )
    st.html(f'{CSS}<div class="weights" style="--weights: url({picture})">{figures}</div>{scale(limit, dark)}')
    st.caption(
        f"{escape(name(run))}, after epoch {found.epoch} of {run.recipe.epochs}. Where a picture is blue, light "
        f"pixels count for the class; where it is orange, against it. All ten have the same scale, with 0 in the "
        "middle."
    )


def _where(weights: np.ndarray) -> str:
    """How much of a picture is above and below 0, for those who don't see it."""
    above = (weights > 0).mean()
    return f"{above:.0%} of the pixels count for it, {1 - above:.0%} against it"


@st.cache_resource(max_entries=16, show_spinner=False)
def _weights(key: tuple[str | int | float, ...], _library: Library, _run: Run) -> PixelWeights | None:
    """Read once an epoch, and once more at the end, for all viewers."""
    return pixel_weights(_library, _run)
