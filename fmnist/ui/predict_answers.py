"""What all models make of one picture, and how that changes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from fmnist import metrics
from fmnist.compare import confusion, next_steps
from fmnist.data.catalog import SAMPLE
from fmnist.data.files import DataError
from fmnist.data.framing import SIDE
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict import conversion
from fmnist.predict.conversion import USUALLY_WITHOUT
from fmnist.predict.picture_file import ImageError
from fmnist.predict.verdict import Answer, verdict
from fmnist.store.library import Group, Library
from fmnist.ui import next_step, predict_suggestion, probability_bars, resources, what_if
from fmnist.ui.conversion_steps import choose_steps, convert, show_steps
from fmnist.ui.page import explained
from fmnist.ui.predict_accuracy import say_how_good
from fmnist.ui.scope import say_where_from
from fmnist.ui.what_if import UNCHANGED, choose_changes
from fmnist.words import escape

MAX_BESIDE = 4
"""Models whose bars stand side by side; of more, the others stand below."""
EXAMPLE = 0
"""The test image that is shown before there is another picture."""
MAX_SEEDS = 12
"""Of each model that answer for it: all stored answers are read for it."""
VERDICT_CSS = """
<style>
.st-key-verdict-below { display: none; }
@media (max-width: 640px) {
  .st-key-verdict-below { display: flex; }
  .st-key-verdict-beside { display: none; }
  [data-testid="stLayoutWrapper"]:has(> .st-key-said-beside) { min-width: 100%; }
}
</style>
"""
"""Streamlit puts columns below one another in windows of at most 640 pixels."""


@dataclass(frozen=True)
class Picked:
    """What a source of pictures gives.

    Attributes:
        picture: None as long as there is none.
        below: an empty place right under it, for what is to be in view beside it.
        truth: the picture's true class, where it is known.
        drawn: whether it is a drawing: then all of it is one item.
        tabled: whether a table answers several pictures, of which none is picked.
    """

    picture: Image.Image | None
    below: DeltaGenerator
    truth: int | None = None
    drawn: bool = False
    tabled: bool = False


@st.fragment
@explained()
def show(library: Library, dataset: str, groups: list[Group], picked: Picked) -> None:
    """The answers, what the models see, how that was made, and what would be if it were different.

    Args:
        picked: with a picture as uploaded or drawn; one of 28 x 28 pixels is an image of the data set.
    """
    picture, truth = picked.picture, picked.truth
    assert picture is not None
    place = st.container()
    made = None
    without = USUALLY_WITHOUT
    if picture.size != (SIDE, SIDE):
        made = st.expander("How the picture becomes 28 × 28", key="conversion", on_change="rerun", bind="query-params")
        with made:
            without = choose_steps()
    with st.expander("What if it were mirrored, moved, turned, blurred?", icon=":material/tune:"):
        changes = choose_changes()
    with place:
        try:
            converted = convert(picture, dataset, without, picked.drawn)
        except ImageError as error:
            st.error(escape(str(error)), icon=":material/broken_image:")
            lead_on(dataset, groups, [], truth)
            return
        image = what_if.changed(converted.image, changes)
        cut = dict(converted.steps).get("Cut out")
        changed = changes != UNCHANGED
        answers = _show_answers(library, dataset, groups, image, converted.remarks, picked, cut, changed)
    if made and made.open:
        with made:
            plain = conversion.naive(picture)
            show_steps(groups[0].recipe.info, converted, plain)
            if naively := [Answer(*computed) for computed in _all_computed(library, groups, plain)]:
                st.markdown(f"From a plain resize, squashed and not inverted: {verdict(naively)}")
    lead_on(dataset, groups, answers, truth)


def show_example(library: Library, dataset: str, groups: list[Group]) -> None:
    """What answers look like, before there is a picture: a test image, by what is stored. Nothing is loaded for it."""
    try:
        known = resources.test_set(dataset, library.own)
    except DataError:
        return
    shown = [replace(group, runs=group.runs[:MAX_SEEDS]) for group in groups]
    answers = [Answer(group, _stored(library, group, EXAMPLE)) for group in shown]
    st.html(probability_bars.CSS)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        image = known.test_images[EXAMPLE]
        st.image(conversion.to_data_url(image, 4), width=112, alt=f"Test image {EXAMPLE}")
        truth = int(known.test_labels[EXAMPLE])
        with st.container(gap="small"):
            some = any(len(group.runs) > MAX_SEEDS for group in groups)
            which = f" Of each model, at most {MAX_SEEDS} runs answer here." if some else ""
            st.markdown(f"An example, test image {EXAMPLE}: {verdict(answers, truth)}{which}")
    columns = st.columns(min(len(answers), MAX_BESIDE))
    for place, answer in enumerate(answers):
        with columns[place % MAX_BESIDE]:
            _show_answer(answer)


def _stored(library: Library, group: Group, index: int) -> np.ndarray:
    """Each seed's probabilities for a test image, float (seeds, 10), by the logits that were stored after training."""

    def compute() -> np.ndarray:
        return metrics.softmax(np.stack([library.logits(run)[index] for run in group.runs]).astype(np.float64))

    return library.remember(("stored answers", tuple(run.address for run in group.runs), index), compute)


def lead_on(dataset: str, groups: list[Group], answers: Sequence[Answer], truth: int | None) -> None:
    """The end of the page: where the runs come from, and what one would look at next."""
    if dataset != SAMPLE:
        say_where_from(dataset, groups)
    if answers:
        said = [(confusion.whole(answer.group), answer.top) for answer in answers]
        next_step.show_mix_up(next_steps.after_answers(said, truth), [groups[0].source])
    else:
        next_step.show("Confusion", "See what the models mix up.")


def _show_answers(
    library: Library,
    dataset: str,
    groups: list[Group],
    image: np.ndarray,
    remarks: Sequence[str],
    picked: Picked,
    cut: Image.Image | None,
    changed: bool,
) -> list[Answer]:
    """The answers for an image, which is `changed` by "What if" or is as it came."""
    with st.spinner("Loading the models …"):
        from fmnist.ui import predict_reasons

        known = _all_computed(library, groups, image)
    if not known:
        return []
    st.html(probability_bars.CSS)
    said = st.container()
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        with st.container(width=112, gap="small"):
            st.image(conversion.to_data_url(image, 4), width=112, alt="The 28 × 28 pixels that the models see")
            if cut:
                st.image(conversion.preview_url(cut, 112), width=112, alt="What was cut out of the picture")
        # Beside the image there is room for a warning and a suggestion, so that the bars stay where they are.
        suggested = st.empty()
        with st.container(gap="small", key="said-beside"):
            warning = st.container()
            if changed:
                with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                    st.markdown("**Changed by “What if” below.**", width="content")
                    st.button("Undo", type="tertiary", on_click=what_if.reset, key="take-back")
            st.caption("\n\n".join(["What the models see: 28 × 28 pixels, light on black.", *remarks]))
    answers = []
    columns = st.columns(min(len(known), MAX_BESIDE))
    for place, (group, seeds, seconds) in enumerate(known):
        with columns[place % MAX_BESIDE]:
            above = st.container()
            answers.append(Answer(group, seeds, seconds, _choose_run(group)))
            with above:
                _show_answer(answers[-1])
    say_verdict(said, picked.below, verdict(answers, picked.truth))
    if any(answer.chosen is None and len(answer.seeds) > 1 for answer in answers):
        st.caption("Bars: averages over the runs. Thin lines: from the lowest run to the highest.")
    say_how_good(library, dataset, [answer.answering for answer in answers])
    # Only now: at first this has to read the data and learn from them, and the answers are there already.
    if familiarity := predict_reasons.familiarity(library, dataset):
        with warning, explained():
            seen = predict_suggestion.look(answers, familiarity, image)
            found = None if changed else predict_suggestion.find(library, seen, familiarity, image)
            predict_reasons.warn_if_unfamiliar(seen.strange, brief=found is not None)
            if found:
                change, label = found
                picture = conversion.to_data_url(change.of(image), 4)
                suggested.image(picture, width=112, alt=f"The same {change.name.lower()}")
                classes = answers[0].info.classes
                predict_suggestion.show(library, dataset, image, change, classes[label], len(answers))
    predict_reasons.show_why(library, [answer.answering for answer in answers], image)
    return answers


def say_verdict(beside: DeltaGenerator, below: DeltaGenerator, sentence: str) -> None:
    """The verdict above the answers, and on a phone, where those stand far below, right under the picture instead.

    Args:
        below: an empty place under the picture.
    """
    with beside.container(key="verdict-beside"):
        st.html(VERDICT_CSS)
        st.markdown(f"## {sentence}")
    with below.container(key="verdict-below"):
        st.markdown(f"## {sentence}")


def _choose_run(group: Group) -> int | None:
    """Which run of a group answers: its place among the seeds, or None for their mean."""
    if len(group.runs) == 1:
        return None
    names = [f"Mean of {len(group.runs)} runs", *(f"Seed {run.recipe.seed}" for run in group.runs)]
    chosen = st.selectbox(
        f"Which run of {group.title} answers", names, label_visibility="collapsed", key=f"run-{group.id}"
    )
    return names.index(chosen) - 1 if chosen != names[0] else None


def _show_answer(answer: Answer) -> None:
    st.markdown(f"{escape(answer.name)}  \n**{answer.said}**, {answer.mean[answer.top]:.0%}")
    st.html(_bars(answer))
    count = len(answer.seeds)
    parts = [f"{answer.agreeing} of {count} runs agree" if answer.runs > 1 else "One run"]
    if answer.seconds is not None:
        parts.append(milliseconds(answer.seconds) + (f" for {count} runs" if count > 1 else ""))
    st.caption(" · ".join(parts))


def _bars(answer: Answer) -> str:
    shown = answer.mean
    low, high = (answer.seeds.min(axis=0), answer.seeds.max(axis=0)) if answer.chosen is None else (shown, shown)
    color = ARCHITECTURES[answer.group.recipe.model].color
    return probability_bars.bars(shown, low, high, answer.info.short, color, f"{answer.name}: probabilities")


def milliseconds(seconds: float) -> str:
    """A short time as people say it: "0.4 ms", "12 ms"."""
    return f"{1000 * seconds:.1f} ms" if seconds < 0.01 else f"{1000 * seconds:,.0f} ms"


def _all_computed(
    library: Library, groups: Sequence[Group], image: np.ndarray
) -> list[tuple[Group, np.ndarray, float]]:
    """Each group with what `_computed` gives; of a custom model that raises something instead, it is said."""
    known = []
    for group in groups:
        with explained():
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

    image = np.frombuffer(pixels, np.uint8).reshape(1, SIDE, SIDE)
    seeds, seconds = prediction.timed_probabilities(_library, _group, image)
    return seeds[:, 0], seconds
