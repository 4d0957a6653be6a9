"""The piece of the Predict page that shows what all models make of one picture, and lets it be changed."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from fmnist.data.catalog import DATASETS, DatasetInfo
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict import conversion
from fmnist.predict.conversion import OPTIONAL, USUALLY_WITHOUT, Converted
from fmnist.predict.picture_file import ImageError
from fmnist.store.library import Group, Library
from fmnist.ui import widgets

STEPS = {
    "trim": "Trim",
    "proportions": "Keep proportions",
    "sharpen": "Sharpen",
    "negate": "Negate",
    "stretch": "Stretch the greys",
}
UNCHANGED: dict[str, Any] = {"dx": 0, "dy": 0, "angle": 0, "scale": 100, "blur": 0.0, "invert": False}
"""The settings of "What if", as its widgets have them: scale in per cent."""

MAX_BESIDE = 4
"""Models whose bars stand side by side; of more, the others stand below."""

COUNTS = ("No", "One", "Two", "Three", "Four", "Five")

# Bars in HTML change in place at each stroke; a Plotly chart would be taken down and built anew, and blink.
CSS = """
<style>
.bars { width: 100%; border-collapse: collapse; font-size: 0.82rem; font-variant-numeric: tabular-nums; }
.bars th { font-weight: 400; text-align: left; padding: 3px 6px 3px 0; width: 1%; white-space: nowrap; }
.bars td { padding: 3px 0; }
.bars td:last-child { text-align: right; width: 3.1em; }
.bars .scale { position: relative; height: 14px; background: color-mix(in srgb, #808891 16%, transparent); }
.bars b { position: absolute; inset: 0 auto 0 0; background: var(--model); opacity: 0.45; }
.bars i { position: absolute; top: 6px; height: 2px; background: #808891; }
.bars .top th, .bars .top td { font-weight: 600; }
.bars .top b { opacity: 1; }
.steps { display: flex; flex-wrap: wrap; gap: 10px; }
.steps figure { margin: 0; width: 84px; font-size: 0.78rem; }
.steps img { width: 84px; height: 84px; object-fit: contain; background: #808891; image-rendering: pixelated; }
.steps .naive { border-left: 2px solid #808891; padding-left: 10px; width: 96px; }
</style>
"""


@dataclass(frozen=True)
class Answer:
    """What one model makes of an image.

    seeds: float (seeds, 10), every seed's probabilities.
    seconds: that computing them took, for all seeds together, without loading the models.
    chosen: the place of the run that answers among the seeds; None for their mean.
    """

    group: Group
    seeds: np.ndarray
    seconds: float
    chosen: int | None = None

    @property
    def name(self) -> str:
        return self.group.title

    @property
    def info(self) -> DatasetInfo:
        """What is known of the data that the model knows."""
        return self.group.recipe.info

    @property
    def answering(self) -> Group:
        """The runs whose answer is shown."""
        return self.group if self.chosen is None else replace(self.group, runs=(self.group.runs[self.chosen],))

    @property
    def mean(self) -> np.ndarray:
        """The probabilities that are shown, float (10,)."""
        return self.seeds.mean(axis=0) if self.chosen is None else self.seeds[self.chosen]

    @property
    def top(self) -> int:
        return int(self.mean.argmax())

    @property
    def said(self) -> str:
        """The name of the class that is shown as the answer."""
        return self.info.classes[self.top]

    @property
    def agreeing(self) -> int:
        """How many seeds give the answer that is shown."""
        return int((self.seeds.argmax(axis=1) == self.top).sum())


@st.fragment
@widgets.explained()
def show(library: Library, dataset: str, groups: list[Group], picture: Image.Image, truth: int | None) -> None:
    """The answers, what the models see, how that was made, and what would be if it were different.

    Args:
        picture: as uploaded or drawn; of 28 x 28 pixels, an image of the data set.
        truth: its true class, where it is known.
    """
    place = st.container()
    made = None
    without = USUALLY_WITHOUT
    if picture.size != (conversion.SIDE, conversion.SIDE):
        made = st.expander("How the picture becomes 28 × 28", key="conversion", on_change="rerun", bind="query-params")
        with made:
            without = _choose_steps()
    with st.expander("What if it were moved, turned, larger, blurred?", icon=":material/tune:"):
        changes = _choose_changes()
    with place:
        try:
            converted = conversion.convert(picture, DATASETS[dataset].subject.framing, without=without)
        except ImageError as error:
            st.error(str(error), icon=":material/broken_image:")
            return
        image = conversion.change(converted.image, **changes | {"scale": changes["scale"] / 100})
        _show_answers(library, dataset, groups, image, converted.remarks, truth, changed=changes != UNCHANGED)
    if made and made.open:
        with made:
            _show_steps(library, groups, picture, converted)


def _choose_steps() -> frozenset[str]:
    """Switches for the steps of the conversion; those that are left out."""
    chosen = st.pills(
        "Steps that are done",
        list(STEPS),
        selection_mode="multi",
        default=[step for step in OPTIONAL if step not in USUALLY_WITHOUT],
        format_func=STEPS.__getitem__,
        key="steps",
        bind="query-params",
    )
    return frozenset(OPTIONAL) - frozenset(chosen)


def _choose_changes() -> dict[str, Any]:
    """Sliders for `conversion.change`; their values."""
    left, right = st.columns(2, gap="medium")
    with left:
        changes = {
            "dx": st.slider("Right, pixels", -14, 14, UNCHANGED["dx"], key="what-dx"),
            "dy": st.slider("Down, pixels", -14, 14, UNCHANGED["dy"], key="what-dy"),
            "angle": st.slider("Turn, degrees clockwise", -180, 180, UNCHANGED["angle"], 5, key="what-angle"),
        }
    with right:
        changes["scale"] = st.slider("Size, %", 40, 200, UNCHANGED["scale"], 5, key="what-scale")
        changes["blur"] = st.slider("Blur, pixels", 0.0, 3.0, UNCHANGED["blur"], 0.25, key="what-blur")
        changes["invert"] = st.toggle("Invert: dark on light", UNCHANGED["invert"], key="what-invert")
    st.button("Reset", icon=":material/restart_alt:", on_click=_reset, disabled=changes == UNCHANGED, key="what-reset")
    return changes


def _reset() -> None:
    for name, value in UNCHANGED.items():
        st.session_state[f"what-{name}"] = value


def _show_answers(
    library: Library,
    dataset: str,
    groups: list[Group],
    image: np.ndarray,
    remarks: Sequence[str],
    truth: int | None,
    changed: bool,
) -> None:
    with st.spinner("Loading the models …"):
        from fmnist.ui import predict_reasons

        known = _all_computed(library, groups, image)
    if not known:
        return
    st.html(CSS)
    said = st.container()
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.image(conversion.to_data_url(image, 4), width=112, alt="The 28 × 28 pixels that the models see")
        notes = ["What the models see: 28 × 28 pixels, light on black."]
        notes += ["**Changed by the sliders below.**"] if changed else []
        # Beside the image there is room for a warning, so that the bars stay where they are.
        with st.container(gap="small"):
            warning = st.container()
            st.caption("\n\n".join([*notes, *remarks]))
    answers = []
    columns = st.columns(min(len(known), MAX_BESIDE))
    for place, (group, seeds, seconds) in enumerate(known):
        with columns[place % MAX_BESIDE]:
            above = st.container()
            answers.append(Answer(group, seeds, seconds, _choose_run(group)))
            with above:
                _show_answer(answers[-1])
    said.markdown(f"#### {verdict(answers, truth)}")
    if any(answer.chosen is None and len(answer.seeds) > 1 for answer in answers):
        st.caption("Bars are means over the seeds; the thin lines reach from the lowest seed to the highest.")
    with warning:  # Only now: at first it has to read the data and learn from them, and the answers are there already.
        predict_reasons.warn_if_unfamiliar(library, dataset, image)
    predict_reasons.show_why(library, [answer.answering for answer in answers], image)


def _choose_run(group: Group) -> int | None:
    """Which run of a group answers: its place among the seeds, or None for their mean."""
    if len(group.runs) == 1:
        return None
    names = [f"Mean of {len(group.runs)} seeds", *(f"Seed {run.recipe.seed}" for run in group.runs)]
    chosen = st.selectbox(
        f"Which run of {group.title} answers", names, label_visibility="collapsed", key=f"run-{group.id}"
    )
    return names.index(chosen) - 1 if chosen != names[0] else None


def _show_answer(answer: Answer) -> None:
    st.markdown(f"{widgets.escape(answer.name)}  \n**{answer.said}**, {answer.mean[answer.top]:.0%}")
    st.html(bars(answer))
    count = len(answer.seeds)
    agreement = f"{answer.agreeing} of {count} seeds say so" if count > 1 else "One seed"
    each = f" for {count} seeds" if count > 1 else ""
    st.caption(f"{agreement} · {milliseconds(answer.seconds)}{each}")


def bars(answer: Answer) -> str:
    """Ten probabilities as a table with bars, all in one scale from 0 to 100%; the largest in full colour."""
    color = ARCHITECTURES[answer.group.recipe.model].color
    shown = answer.mean
    low, high = (answer.seeds.min(axis=0), answer.seeds.max(axis=0)) if answer.chosen is None else (shown, shown)
    rows = "".join(
        f'<tr class="{"top" if label == answer.top else ""}"><th scope="row">{name}</th>'
        f'<td><div class="scale"><b style="width: {shown[label]:.1%}"></b>'
        f'<i style="left: {low[label]:.1%}; width: {high[label] - low[label]:.1%}"></i></div></td>'
        f"<td>{shown[label]:.0%}</td></tr>"
        for label, name in enumerate(answer.info.short)
    )
    label = html.escape(f"{answer.name}: probabilities", quote=True)
    return f'<table class="bars" style="--model: {color}" aria-label="{label}"><tbody>{rows}</tbody></table>'


def milliseconds(seconds: float) -> str:
    """A short time as people say it: "0.4 ms", "12 ms"."""
    return f"{1000 * seconds:.1f} ms" if seconds < 0.01 else f"{1000 * seconds:,.0f} ms"


def verdict(answers: Sequence[Answer], truth: int | None = None) -> str:
    """Whether the models agree, and with the truth, in a sentence or two of Markdown."""
    classes = answers[0].info.classes
    known = f" It is **{classes[truth]}**." if truth is not None else ""
    votes = Counter(answer.top for answer in answers)
    (favourite, most), *others = votes.most_common()
    name = f"**{classes[favourite]}**"
    if not others:
        everyone = "All models say" if len(answers) > 1 else f"{widgets.escape(answers[0].name)} says"
        seeds = sum(len(answer.seeds) for answer in answers)
        agreeing = sum(answer.agreeing for answer in answers)
        which = f"all their {seeds}" if agreeing == seeds else f"{agreeing} of their {seeds}"
        return f"{everyone} {name}" + (f", with {which} seeds." if seeds > len(answers) else ".") + known
    if most == 1:
        said = (f"{widgets.escape(answer.name)} says **{answer.said}**" for answer in answers)
        return f"They disagree: {widgets.listed(said)}.{known}"
    odd = (f"{widgets.escape(answer.name)} says **{answer.said}**" for answer in answers if answer.top != favourite)
    return f"{_count(most)} of {_count(len(answers)).lower()} say {name}, but {widgets.listed(odd)}.{known}"


def _count(number: int) -> str:
    return COUNTS[number] if number < len(COUNTS) else str(number)


def _show_steps(library: Library, groups: list[Group], picture: Image.Image, converted: Converted) -> None:
    """The picture after each step, and beside them what a plain resize would have made of it."""
    info = groups[0].recipe.info
    framing = info.subject.framing
    where = "its centre of mass" if framing.by_mass else "its middle"
    st.caption(
        f"As the images of {info.title} are: one {info.subject.thing}, light on black, its longer side {framing.side} "
        f"pixels long, {where} in the middle."
    )
    plain = conversion.naive(picture)
    tiles = "".join(_tile(name, step) for name, step in converted.steps)
    st.html(f'{CSS}<div class="steps">{tiles}{_tile("Plain resize", Image.fromarray(plain), "naive")}</div>')
    if naively := [Answer(*computed) for computed in _all_computed(library, groups, plain)]:
        st.markdown(f"From the plain resize, squashed and not negated: {verdict(naively)}")


def _tile(name: str, step: Image.Image, kind: str = "") -> str:
    """A picture with its name; large ones are reduced to what is shown."""
    small = step.copy()
    small.thumbnail((168, 168))
    return (
        f'<figure class="{kind}"><img src="{conversion.to_data_url(small)}" alt="{name}">'
        f"<figcaption>{name}</figcaption></figure>"
    )


def _all_computed(
    library: Library, groups: Sequence[Group], image: np.ndarray
) -> list[tuple[Group, np.ndarray, float]]:
    """Each group with what `_computed` gives; of an own model that raises something instead, it is said."""
    known = []
    for group in groups:
        with widgets.explained():
            known.append((group, *_computed(library, group, image)))
    return known


def _computed(library: Library, group: Group, image: np.ndarray) -> tuple[np.ndarray, float]:
    """Each seed's probabilities for an image, float (seeds, 10), and the seconds that it took; remembered."""
    return _remembered(str(library.own.path), tuple(run.address for run in group.runs), image.tobytes(), library, group)


@st.cache_data(max_entries=256, show_spinner=False)
def _remembered(
    store: str, run_ids: tuple[str, ...], pixels: bytes, _library: Library, _group: Group
) -> tuple[np.ndarray, float]:
    from fmnist.predict import prediction

    image = np.frombuffer(pixels, np.uint8).reshape(1, conversion.SIDE, conversion.SIDE)
    seeds, seconds = prediction.timed_probabilities(_library, _group, image)
    return seeds[:, 0], seconds
