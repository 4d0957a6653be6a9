"""A row of ten pictures, one of each class: what is recognised, at a glance."""

from __future__ import annotations

import base64
import html

import streamlit as st

from fmnist.data import examples
from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError
from fmnist.predict.conversion import to_png
from fmnist.store.store import Store
from fmnist.ui import resources

CSS = """
<style>
.class-pictures { display: grid; grid-template-columns: repeat(10, 1fr); gap: 8px 10px; }
@media (max-width: 800px) { .class-pictures { grid-template-columns: repeat(5, 1fr); } }
.class-pictures figure { margin: 0; font-size: 0.8rem; line-height: 1.3; text-align: center; }
.class-pictures span {
  display: block; aspect-ratio: 1; border-radius: 4px; background: var(--strip) 0 / 1000% 100%;
  image-rendering: pixelated;
}
</style>
"""


def class_pictures(name: str, store: Store) -> None:
    """Draw them; nothing where the data set's images are not on this machine.

    All ten are parts of one image, that is sent once.

    Args:
        name: of the data set.
    """
    picture = examples.shipped(name)
    if picture is None:
        try:
            images = resources.test_set(name, store)
        except DataError:  # Data and Train say what is missing; here the page goes on without.
            return
        picture = to_png(examples.strip(images, examples.first_of_each(images)))
    classes = DATASETS[name].classes
    figures = "".join(
        f'<figure><span role="img" aria-label="A picture of the class {html.escape(label)}" '
        f'style="background-position-x: {100 * place / (len(classes) - 1):.4g}%"></span>'
        f"<figcaption>{html.escape(label)}</figcaption></figure>"
        for place, label in enumerate(classes)
    )
    address = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    st.html(f'{CSS}<div class="class-pictures" style="--strip: url({address})">{figures}</div>')
