"""What each pixel adds to a class, as the tab "Pixels" of the Predict page shows it."""

from __future__ import annotations

import html
from dataclasses import dataclass

import numpy as np
import streamlit as st

from fmnist.data.framing import SIDE
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict.conversion import to_data_url
from fmnist.store.library import Group, Library
from fmnist.ui.diverging import brightest, colored, scale
from fmnist.ui.page import explained, is_dark

MISSING = 0.05  # Of a logit's difference, and in points: what is worth a remark.
ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
CSS = """
<style>
.why { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 16px; }
.why figure { margin: 0; font-size: 0.82rem; line-height: 1.4; max-width: 280px; }
.why img { width: 100%; image-rendering: pixelated; border: 1px solid #80889166; border-radius: 4px; display: block; }
.why figcaption { padding-top: 4px; }
</style>
"""


def show_pixels(library: Library, groups: list[Group], image: np.ndarray) -> None:
    """For each model, what each pixel adds to a class's logit or takes away from it."""
    classes = groups[0].recipe.info.classes
    asked = st.selectbox(
        "Evidence for and against …",
        classes,
        index=None,
        placeholder="Each model's answer",
        key="why-class",
        bind="query-params",
        width=280,
        help="Choose a class to see why it was not the answer.",
    )
    label = classes.index(asked) if asked else None
    found: list[Explained] = []
    with st.spinner("Asking the models …"):
        for group in groups:
            with explained():  # A custom model may compute what has no derivative.
                found.append(_explained(library, group, image, label))
    if not found:
        return
    limit = brightest([one.pixels for one in found])
    dark = is_dark()
    figures = "".join(_figure(one, classes[one.label], limit, dark) for one in found)
    st.html(f'{CSS}<div class="why">{figures}</div>{scale(limit, dark, "against: ", "for: ", " points per pixel")}')
    seeds = max(len(group.runs) for group in groups)
    st.caption(
        "A model gives each class points (logits); the class with the most is its answer. Blue pixels add points to "
        "the class, orange ones take some away; the colours mean the same for all models. The background is black "
        "and adds nothing. In a linear model such as Model 0, a pixel adds its brightness times its weight. In other "
        "models that depends on the other pixels: what is shown is the average on the way from an all-black image "
        "to this one ([integrated gradients](https://arxiv.org/abs/1703.01365))."
        + (" Points are averages over the runs." if seeds > 1 else "")
    )


def _figure(explained: Explained, name: str, limit: float, dark: bool) -> str:
    """A model's contributions to a class as a picture with their sum; its text alternative says where most of them
    are."""
    title = explained.group.title
    added = explained.pixels.sum()
    missing = explained.logit - explained.start - added
    # A logit that jumps, as that of a custom model may, has no derivative where it does.
    jumps = abs(missing) > max(MISSING * abs(explained.logit - explained.start), MISSING)
    # The figures that are printed shall give the sum that is printed.
    shown = round(explained.logit, 1) - round(explained.start, 1) - (round(missing, 1) if jumps else 0)
    where = _say_regions(explained.pixels, explained.group.recipe.model)
    alt = html.escape(f"{title}: what each pixel adds to {name}. {where}", quote=True)
    total = f"{_points(explained.start)} for a black image {'−' if shown < 0 else '+'} {abs(shown):.1f} from the pixels"
    if jumps:
        total += f"; {_points(missing, '+')} can't be assigned to single pixels"
    picture = to_data_url(colored(explained.pixels, limit, dark), 8)
    return (
        f'<figure><img src="{picture}" alt="{alt}"><figcaption><b>{html.escape(title)}: '
        f"{name}, {_points(explained.logit)} points</b><br>{total}.<br>{where}</figcaption></figure>"
    )


def _say_regions(pixels: np.ndarray, model: str) -> str:
    """Where most points come from and are lost, of nine parts of the image, in a sentence."""
    if not pixels.any():
        because = ": the model's last ReLU holds these points at 0" if ARCHITECTURES[model].rectified else ""
        return f"No pixel adds anything{because}."
    edges = np.linspace(0, SIDE, 4).round().astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(pixels, edges, axis=0), edges, axis=1)
    said = []
    for words, sign in (("Strongest for it", 1), ("Strongest against it", -1)):
        row, column = np.unravel_index(np.argmax(sign * sums), sums.shape)
        if sign * sums[row, column] > 0.05:
            said.append(f"{words}: {ROWS[row]} {COLUMNS[column]} ({_points(sums[row, column], '+')}).")
    return " ".join(said)


def _points(value: float, sign: str = "-") -> str:
    return f"{value:{sign}.1f}".replace("-", "−")


@dataclass(frozen=True)
class Explained:
    """What a group's points for a class are made of: `attribution.Explanation`."""

    group: Group
    label: int
    logit: float
    start: float
    pixels: np.ndarray


def _explained(library: Library, group: Group, image: np.ndarray, label: int | None) -> Explained:
    """Why a group gives a class (None: its answer) its points; remembered between reruns."""
    parts = _remembered(str(library.own.path), _addresses(group), image.tobytes(), label, library, group)
    return Explained(group, *parts)


def _addresses(group: Group) -> tuple[str, ...]:
    return tuple(run.address for run in group.runs)


@st.cache_data(max_entries=256, show_spinner=False)
def _remembered(
    store: str, runs: tuple[str, ...], pixels: bytes, label: int | None, _library: Library, _group: Group
) -> tuple[int, float, float, np.ndarray]:
    from fmnist.predict import attribution, prediction

    image = np.frombuffer(pixels, np.uint8).reshape(SIDE, SIDE)
    if label is None:
        label = int(prediction.probabilities(_library, _group, image[None])[:, 0].mean(axis=0).argmax())
    models = [prediction.load_model(_library, run) for run in _group.runs]
    with ARCHITECTURES[_group.recipe.model].blamed():
        found = attribution.explain(models, image, label)
    return label, found.logit, found.start, found.pixels
