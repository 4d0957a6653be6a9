"""Predict: draw, upload or pick an image, and see what every model makes of it."""

import base64

import numpy as np
import streamlit as st
from PIL import Image

from fmnist import charts, drawing, images, pad, widgets
from fmnist.data import CLASS_NAMES, DataError
from fmnist.images import Converted, ImageError
from fmnist.library import Group, Library, default_groups
from fmnist.models import ARCHITECTURES

PREVIEW = 280  # Pixels


def show(shelf: Library) -> None:
    dataset, sources = widgets.choose_scope(shelf)
    groups = default_groups(shelf.groups(dataset, *sources))
    if not groups:
        widgets.nothing_trained()
        return
    widgets.say_where_from(dataset, groups)
    left, right = st.columns([2, 3], gap="large")
    with left:
        how = st.segmented_control(
            "Image",
            ["Draw", "Upload", "Test image"],
            default="Draw",
            required=True,
            key="how",
            bind="query-params",
            label_visibility="collapsed",
        )
        image, truth = {"Draw": draw, "Upload": upload, "Test image": pick}[how](shelf, dataset)
    with right:
        if image is None:
            st.markdown("#### The models' answers appear here.")
        else:
            answer(shelf, groups, image, truth)


Picked = tuple[Converted | None, int | None]
"""The converted image, and its true class where it is known."""


def draw(shelf: Library, dataset: str) -> Picked:
    """The drawing pad. What is drawn is kept while other pages are visited."""
    st.session_state["trace-image"] = trace(shelf, dataset)
    strokes = pad.strokes()
    st.caption(
        "Fill the shape: the models know clothes, not outlines. Outline fills what you circle; a polygon ends with a "
        "click on its first corner. By keyboard: arrow keys, space, Enter."
    )
    return (convert(drawing.picture(strokes)) if strokes else None), None


def trace(shelf: Library, dataset: str) -> str:
    """The mean image of a class to draw over, if one is asked for, as the address of a picture; else nothing."""
    label = st.selectbox("Trace", CLASS_NAMES, index=None, placeholder="Nothing to trace", key="trace", width=240)
    if label is None:
        return ""
    try:
        known = widgets.dataset(dataset, shelf.own)
    except DataError as error:
        st.caption(widgets.escape(str(error)))
        return ""
    mean = widgets.mean_images(known.fingerprint, known)[CLASS_NAMES.index(label)]
    return "data:image/png;base64," + base64.b64encode(images.to_png(255 - mean, 10)).decode()


def upload(shelf: Library, dataset: str) -> Picked:
    file = st.file_uploader(
        "A photo of one item on a plain background",
        ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"],
        max_upload_size=images.MAX_BYTES // 2**20,
        key="file",
    )
    if file is None:
        return None, None
    try:
        picture = images.open_image(file.getvalue())
    except ImageError as error:
        st.error(str(error), icon=":material/broken_image:")
        return None, None
    st.image(picture, width=PREVIEW, alt="The uploaded picture")
    return convert(picture), None


def pick(shelf: Library, dataset: str) -> Picked:
    try:
        known = widgets.dataset(dataset, shelf.own)
    except DataError as error:
        widgets.offer_data(shelf.own, error)
        return None, None
    st.session_state.setdefault("index", 0)
    count = len(known.test_images)

    def surprise() -> None:
        st.session_state["index"] = int(np.random.default_rng().integers(count))

    index = st.number_input(f"Test image, 0 to {count - 1:,}", 0, count - 1, key="index", bind="query-params")
    st.button("Surprise me", icon=":material/casino:", on_click=surprise)
    image = known.test_images[index]
    return Converted(image, (), ()), int(known.test_labels[index])


def convert(picture: Image.Image) -> Converted | None:
    try:
        return images.convert(picture)
    except ImageError as error:
        st.error(str(error), icon=":material/broken_image:")
        return None


def answer(shelf: Library, groups: list[Group], image: Converted, truth: int | None) -> None:
    """What the models see, and each model's mean probabilities over its seeds."""
    with st.spinner("Loading the models …"):
        from fmnist import prediction

        by_group = [widgets.probabilities(shelf, prediction, group, image.image) for group in groups]
    means = [values.mean(axis=0) for values in by_group]
    st.markdown(f"#### {verdict(groups, means, truth)}")
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.image(images.to_png(image.image, 4), width=112, alt="The 28 × 28 pixels that the models see")
        st.caption(
            "What the models see: 28 × 28 pixels, light on black.\n\n" + "\n\n".join(image.remarks), width="stretch"
        )
    for column, group, seeds, mean in zip(st.columns(len(groups)), groups, by_group, means, strict=True):
        top = int(mean.argmax())
        with column:
            name = ARCHITECTURES[group.recipe.model].name
            st.markdown(f"{name}  \n**{CLASS_NAMES[top]}**, {mean[top]:.0%}")  # Two lines: the charts stand level.
            st.plotly_chart(
                charts.probabilities(mean, group.recipe.model, np.array([seeds.min(axis=0), seeds.max(axis=0)])),
                key=f"probabilities-{group.recipe.model}",
                config={"displayModeBar": False},
                alt=f"{name}: " + widgets.listed(f"{CLASS_NAMES[i]} {mean[i]:.0%}" for i in np.argsort(-mean)[:3]),
            )
            st.caption(agreement(group, seeds, top))
    if any(len(seeds) > 1 for seeds in by_group):
        st.caption("Bars are means over the seeds; the thin lines reach from the lowest seed to the highest.")


def verdict(groups: list[Group], means: list[np.ndarray], truth: int | None) -> str:
    """Whether the models agree, and with the truth."""
    said = {
        ARCHITECTURES[g.recipe.model].name: CLASS_NAMES[int(m.argmax())] for g, m in zip(groups, means, strict=True)
    }
    known = f" It is **{CLASS_NAMES[truth]}**." if truth is not None else ""
    if len(set(said.values())) == 1:
        everyone = "All models say" if len(said) > 1 else f"{next(iter(said))} says"
        return f"{everyone} **{next(iter(said.values()))}**.{known}"
    return "They disagree: " + widgets.listed(f"{name} says {label}" for name, label in said.items()) + f".{known}"


def agreement(group: Group, seeds: np.ndarray, top: int) -> str:
    if len(seeds) == 1:
        return f"Seed {group.runs[0].recipe.seed}."
    agreeing = int((seeds.argmax(axis=1) == top).sum())
    return f"Mean of {len(seeds)} seeds; {agreeing} of them say so."


with widgets.page("Predict", "What do they make of it?"):
    show(widgets.library())
