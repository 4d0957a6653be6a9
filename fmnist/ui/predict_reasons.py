"""The pieces of the Predict page that say why, and whether the models can be trusted with an image at all."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from fmnist.data.files import DataError, Dataset
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict import unfamiliar
from fmnist.predict.conversion import SIDE, to_data_url
from fmnist.predict.unfamiliar import Familiarity
from fmnist.store.library import Group, Library
from fmnist.ui import widgets

NEIGHBOURS = 10
MAX_CHANNELS = 60
FOR, AGAINST = (47, 127, 193), (200, 101, 27)  # Blue and orange: told apart by everybody.
PAPER = {True: (27, 33, 43), False: (255, 255, 255)}  # By whether the page is dark: a pixel that adds nothing.
MISSING = 0.05  # Of a logit's difference, and in points: what is worth a remark.
BRIGHTEST = 99.5  # The percentile of all contributions that gets the full colour: single pixels can be far beyond.
ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")

CSS = """
<style>
.why { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 16px; }
.why figure { margin: 0; font-size: 0.82rem; line-height: 1.4; max-width: 280px; }
.why img { width: 100%; image-rendering: pixelated; border: 1px solid #80889166; border-radius: 4px; display: block; }
.why figcaption { padding-top: 4px; }
.why-scale { display: flex; align-items: center; gap: 8px; font-size: 0.82rem; padding-top: 10px; flex-wrap: wrap; }
.why-scale i { width: 120px; height: 10px; border: 1px solid #80889166; border-radius: 3px; }
</style>
"""


def warn_if_unfamiliar(library: Library, dataset: str, image: np.ndarray) -> None:
    """A warning with its reason where an image is unlike the training data; nothing where it is like them.

    Nothing is said either where the training data are not at hand.

    Args:
        image: uint8 (28, 28), light on black, as the models see it.
    """
    try:
        known = widgets.dataset(dataset, library.own)
    except DataError:
        return
    [reason] = _familiarity(known.fingerprint, known).reasons(image[None])
    if reason:
        st.warning(
            f"**This is unlike the training images.** {reason} The models answer all the same, and may sound sure: "
            "do not rely on it.",
            icon=":material/help_center:",
        )


@st.cache_resource(max_entries=2, show_spinner="Looking at the training images …")
def _familiarity(fingerprint: str, _data: Dataset) -> Familiarity:
    return unfamiliar.learn(_data)


def show_why(library: Library, groups: list[Group], image: np.ndarray) -> None:
    """What each model's answer rests on. Only what is open is worked out.

    Args:
        groups: on one data set, at least one; each is explained by the mean over its runs.
        image: uint8 (28, 28), light on black, as the models see it.
    """
    tabs = {"Pixels": show_pixels, "What convolutions see": show_convolutions, "Nearest training images": show_nearest}
    part = st.expander(
        "Why this answer?", icon=":material/lightbulb:", key="why", on_change="rerun", bind="query-params"
    )
    if not part.open:
        return
    with part:
        for tab, content in zip(st.tabs(list(tabs), key="why-tab", bind="query-params"), tabs.values(), strict=True):
            if tab.open:
                with tab, widgets.explained():
                    content(library, groups, image)


# --- Pixels ---


def show_pixels(library: Library, groups: list[Group], image: np.ndarray) -> None:
    """For each model, what each pixel adds to a class's logit or takes away from it."""
    classes = groups[0].recipe.info.classes
    asked = st.selectbox(
        "What speaks for and against …",
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
            with widgets.explained():  # An own model may compute what has no derivative.
                found.append(_explained(library, group, image, label))
    if not found:
        return
    limit = float(np.percentile(np.abs([one.pixels for one in found]), BRIGHTEST)) or 1.0
    dark = widgets.is_dark()
    figures = "".join(_figure(one, classes[one.label], limit, dark) for one in found)
    st.html(f'{CSS}<div class="why">{figures}</div>{_scale(limit, dark)}')
    seeds = max(len(group.runs) for group in groups)
    st.caption(
        "A model gives each class points (logits); the class with the most is its answer. Blue pixels add points to "
        "the class, orange ones take some away; the colours mean the same for all models. The background is black "
        "and adds nothing. In a linear model, as Model 0 is, a pixel adds its lightness times its weight. In others it "
        "depends on the other pixels: shown is what it adds on average on the way from an all black image to this one "
        "([integrated gradients](https://arxiv.org/abs/1703.01365))."
        + (" Points are means over the seeds." if seeds > 1 else "")
    )


def _figure(explained: Explained, name: str, limit: float, dark: bool) -> str:
    """A model's contributions to a class as a picture with their sum; its text alternative says where most of them
    are."""
    title = explained.group.title
    added = explained.pixels.sum()
    where = _say_regions(explained.pixels, explained.group.recipe.model)
    alt = html.escape(f"{title}: what each pixel adds to {name}. {where}", quote=True)
    total = f"{_points(explained.start)} for a black image {'−' if added < 0 else '+'} {abs(added):.1f} from the pixels"
    missing = explained.logit - explained.start - added
    if abs(missing) > max(MISSING * abs(explained.logit - explained.start), MISSING):
        # A logit that jumps, as that of an own model may, has no derivative where it does.
        total += f"; {_points(missing, '+')} can't be told pixel by pixel"
    picture = to_data_url(_colored(explained.pixels, limit, dark), 8)
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
    for words, sign in (("Most for it", 1), ("Most against it", -1)):
        row, column = np.unravel_index(np.argmax(sign * sums), sums.shape)
        if sign * sums[row, column] > 0.05:
            said.append(f"{words}: {ROWS[row]} {COLUMNS[column]} ({_points(sums[row, column], '+')}).")
    return " ".join(said)


def _points(value: float, sign: str = "-") -> str:
    return f"{value:{sign}.1f}".replace("-", "−")


def _scale(limit: float, dark: bool) -> str:
    """What the colours mean."""
    gradient = ", ".join(f"rgb{color}" for color in (AGAINST, PAPER[dark], FOR))
    return (
        f'<div class="why-scale"><span>against: −{limit:.2g}</span>'
        f'<i style="background: linear-gradient(to right, {gradient})"></i>'
        f"<span>for: +{limit:.2g} points a pixel</span></div>"
    )


def _colored(values: np.ndarray, limit: float, dark: bool) -> np.ndarray:
    """Values from -limit to limit as colours, orange to blue: float (28, 28) -> uint8 (28, 28, 3)."""
    strength = np.clip(np.abs(values) / limit, 0, 1)[..., None]
    full = np.where(values[..., None] > 0, FOR, AGAINST)
    return np.rint(strength * full + (1 - strength) * np.array(PAPER[dark])).astype(np.uint8)


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


# --- Convolutions ---


def show_convolutions(library: Library, groups: list[Group], image: np.ndarray) -> None:
    """What each channel of each convolution finds in the image, layer by layer."""
    from fmnist.predict import attribution, prediction

    seeing = [group for group in groups if attribution.has_convolutions(prediction.load_model(library, group.runs[0]))]
    if not seeing:
        st.markdown("None of these models has convolutions: they look at each pixel on its own.")
    for group in seeing:
        run = group.runs[0]
        if len(group.runs) > 1:
            run = st.selectbox(
                f"{group.title}, trained with",
                group.runs,
                format_func=lambda run: f"Seed {run.recipe.seed}",
                key=f"why-seed-{group.id}",
                width=280,
                help="Each seed has learned other channels.",
            )
        model = prediction.load_model(library, run)
        with widgets.explained(), ARCHITECTURES[group.recipe.model].blamed():
            layers = attribution.convolutions(model, image)
            for number, layer in enumerate(layers, start=1):
                _show_layer(f"{group.title}, convolution {number}", layer.window, layer.maps)
    if seeing:
        st.caption(
            "Each tile is one channel: it looks for one pattern everywhere in the image, and is light where it finds "
            "it. Black is nothing found; all tiles of a layer have the same scale. Later layers look at what earlier "
            "ones have found. Where the grid gets coarser, a pooling has kept the largest of some values in a square."
        )


def _show_layer(name: str, window: tuple[int, int], maps: np.ndarray) -> None:
    channels, rows, columns = maps.shape
    st.markdown(
        f"**{widgets.escape(name)}: {channels} × {rows} × {columns}** (channels × rows × columns), "
        f"each value from {window[0]} × {window[1]} of the layer before"
    )
    shown = np.maximum(maps[:MAX_CHANNELS], 0)
    tiles = np.rint(shown * (255 / (shown.max() or 1))).astype(np.uint8)
    captions = [f"{index}" + ("" if tile.any() else ": nothing") for index, tile in enumerate(tiles, start=1)]
    widgets.image_tiles(tiles, captions, "small")
    if channels > MAX_CHANNELS:
        st.caption(f"The first {MAX_CHANNELS} of {channels} channels.")


# --- Neighbours ---


def show_nearest(library: Library, groups: list[Group], image: np.ndarray) -> None:
    """The training images that are most like the image, with their labels."""
    try:
        known = widgets.dataset(groups[0].recipe.dataset, library.own)
    except DataError as error:
        widgets.offer_data(library.own, groups[0].recipe.dataset, error)
        return
    places, distances = unfamiliar.nearest(known.train_images, image, NEIGHBOURS)
    labels = known.train_labels[places]
    widgets.image_tiles(
        known.train_images[places],
        [
            f"{known.info.classes[label]}\n{off:.0%} off"
            for label, off in zip(labels, distances / (SIDE * 255), strict=True)
        ],
        "small",
    )
    st.markdown(_say_labels(labels, known.info.classes))
    st.caption(
        f"Of {len(known.train_images):,} training images, those that differ least, pixel by pixel: by the root of the "
        "mean squared difference, as a share of the way from black to white. The models do not look them up: they have "
        "learned from all. But where even the nearest differ much, or have other labels, an answer is hardly more than "
        "a guess."
    )


def _say_labels(labels: Sequence[int], classes: Sequence[str]) -> str:
    """How many of the neighbours are of which class: "7 of the nearest 10 are Coat, 3 Pullover."."""
    values, counts = np.unique(labels, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    said = [f"{counts[place]} **{classes[values[place]]}**" for place in order]
    return f"Of the {len(labels)} nearest: {widgets.listed(said)}."
