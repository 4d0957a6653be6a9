"""The Confusion page by AppTest: matrices, their cells, and the images behind them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest
from helpers import making
from helpers.making import finished_run, three_models
from helpers.ui import CONFUSION, again, charts, says, shown, tiles, visit
from streamlit.testing.v1 import AppTest

from fmnist.compare import confusion
from fmnist.data.catalog import CLOTHES
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.arrays import pack
from fmnist.store.run import Run
from fmnist.store.store import Store
from fmnist.ui import confusion_items

pytestmark = pytest.mark.usefixtures("bare_pages", "started")


def test_the_difference_of_two_matrices_opens_the_images_that_changed(store, small_data, fashion):
    finished_run(store, Recipe("0"), small_data, accuracy=0.5)
    finished_run(store, Recipe("2", 1), small_data, accuracy=0.9)
    at = visit(CONFUSION, cells="Difference", true="Shirt", predicted="Shirt")
    assert says(at, "recognises 40 more images")
    assert "difference" in charts(at)
    first, second = (np.argmax(store.logits(id), axis=1) == small_data.test_labels for id in (1, 2))
    shirts = small_data.test_labels == CLOTHES.classes.index("Shirt")
    fixed, both = (np.flatnonzero(shirts & second & before).tolist() for before in (~first, first))
    assert len(fixed) > 1
    assert says(at, f"Fixed by Model 2, seed 1: **{len(fixed)}** · Newly wrong in Model 2, seed 1: **0** · ")
    assert {*shown_images(at)} == {*fixed}
    assert not says(at, "answer together")
    at = visit(CONFUSION, cells="Difference", true="Shirt", predicted="Shirt", flip="Recognised by both")
    assert {*shown_images(at)} == {*both}
    away = visit(CONFUSION, cells="Difference", true="Shirt", predicted="Shirt", **{"from": "2", "to": "1"})
    assert says(away, "Fixed by Model 0, seed 0: **0**") and {*shown_images(away)} == {*fixed}  # Of what there is.


def test_that_runs_answer_together_is_said_where_the_matrix_counts_each(store, small_data, fashion):
    for model, seed in (("0", 0), ("0", 1), ("2", 0), ("2", 1)):
        finished_run(store, Recipe(model, seed), small_data)
    both = ["Model 0, all seeds", "Model 2, all seeds"]
    at = confusion_page(both, cells="Difference", true="Shirt", predicted="Coat")
    assert says(at, "The matrix counts the answers of each run. Here the runs of a model answer together")


def test_a_model_against_itself_has_no_difference(store, small_data, fashion):
    three_models(store, small_data)
    at = visit(CONFUSION, cells="Difference", to="Model 0, seed 0", true="Shirt", predicted="Coat")
    assert says(at, "**Model 0, seed 0** recognises as many images as **Model 0, seed 0**.")
    assert says(at, "Nothing changed.")
    assert says(at, "Fixed by Model 0, seed 0: **0** · Newly wrong in Model 0, seed 0: **0** · ")


def shown_images(at: AppTest) -> list[int]:
    """The test images on the page, in their order."""
    return [int(re.match(r"#(\d+)", caption)[1]) for caption in tiles(at)]


def confusion_page(runs: Sequence[str] = (), **query: str) -> AppTest:
    return visit(CONFUSION, **({"runs-fashion-mnist-own": list(runs)} if runs else {}), **query)


def test_runs_that_are_not_listed_are_chosen_by_number_or_title(store, small_data, fashion, monkeypatch):
    for seed in range(4):
        finished_run(store, Recipe("0", seed), small_data)
    monkeypatch.setattr(confusion_items, "MAX_LISTED", 2)
    at = confusion_page()
    [field] = [field for field in at.multiselect if field.label == "Compared"]
    assert field.options == ["Model 0, all seeds", "Model 0, seed 0"] and says(at, "2 of 5 are listed.")
    field.set_value(["all-1", "3", "Model 0, seed 3", "Model 9"])
    again(at)
    assert matrices(at) == ["Model 0, all seeds", "Model 0, seed 2", "Model 0, seed 3"]
    assert says(at, "There is no run Model 9 here.")
    again(at)
    assert len(matrices(at)) == 3 and not says(at, "There is no run")
    assert matrices(confusion_page(["Model 0, seed 3", "2"])) == ["Model 0, seed 3", "Model 0, seed 1"]


def matrices(at: AppTest) -> list[str]:
    """Of what the page shows a matrix."""
    found = [re.match(r"\*\*(.+)\*\* · .* right", text) for text in shown(at, "markdown")]
    return [match[1] for match in found if match]


def test_seeds_are_summed_and_a_dead_one_is_named(store, small_data, fashion):
    for seed in (0, 1):
        finished_run(store, Recipe("0", seed), small_data, accuracy=0.8 + seed / 10)
    finished_run(store, Recipe("0", 2), small_data, never=tuple(range(1, 10)))
    finished_run(store, Recipe("1", 0), small_data, device="NVIDIA H100")
    at = confusion_page(["Model 0, all seeds"], true="Bag", predicted="T-shirt/top")
    said = np.array([np.argmax(store.logits(id), axis=1) for id in (1, 2, 3)])
    right = np.mean(said == small_data.test_labels)
    assert says(at, f"**Model 0, all seeds** · {right:.2%} right, on average over 3 runs")
    assert says(at, "seed 2 failed to learn (dead): it answers the same class for every image")
    bags = small_data.test_labels == CLOTHES.classes.index("Bag")
    times = np.count_nonzero(said[:, bags] == 0)
    assert says(
        at, f"**Bag** mistaken for **T-shirt/top** {times:,} times on {bags.sum()} images, most confident first."
    )
    assert {*shown_images(at)} == {*np.flatnonzero(bags)}
    assert at.multiselect[0].options == [
        "Model 0, all seeds",
        *(f"Model 0, seed {seed}" for seed in range(3)),
        "Model 1, seed 0",
    ]


def test_the_page_opens_on_all_seeds_of_the_best_model_with_the_images_of_its_worst_mix_up(store, small_data, fashion):
    for seed in (0, 1):
        three_models(store, small_data, seed=seed)
    at = confusion_page()
    assert [*charts(at)] == ["matrix-all-3"]
    labels, said = small_data.test_labels, np.array([np.argmax(store.logits(id), axis=1) for id in (3, 6)])
    pairs = [(true, wrong) for true in range(10) for wrong in range(10) if true != wrong]
    count = {(true, wrong): int(((labels == true) & (said == wrong)).sum()) for true, wrong in pairs}
    true, wrong = max(pairs, key=lambda pair: count[pair])
    expected = np.flatnonzero((labels == true) & (said == wrong).any(axis=0))
    assert {*shown_images(at)} == {*expected}
    assert says(at, f"**{CLOTHES.classes[true]}** mistaken for **{CLOTHES.classes[wrong]}** {count[true, wrong]} times")
    at = confusion_page(predicted=CLOTHES.classes[wrong])  # The class that is not chosen is the worst, too.
    assert {*shown_images(at)} == {*expected}


def test_a_cell_without_images_says_so(store, small_data, fashion):
    finished_run(store, Recipe("0"), small_data, never=tuple(range(1, 10)))
    assert says(
        confusion_page(true="Bag", predicted="Coat"), "Model 0, seed 0: no image of **Bag** is mistaken for **Coat**."
    )
    assert says(confusion_page(true="Bag", predicted="Bag"), "Model 0, seed 0: no image of **Bag** is recognised.")


def test_of_very_many_seeds_the_page_opens_on_one(store, small_data, fashion, monkeypatch):
    monkeypatch.setattr(confusion, "MAX_WHOLE", 1)
    for seed in (0, 1):
        three_models(store, small_data, seed=seed)
    assert [*charts(confusion_page())] == ["matrix-3"]


def test_so_many_images_of_a_cell_are_shown_and_any_of_them_can_be_opened(store, small_data, fashion, monkeypatch):
    monkeypatch.setattr("fmnist.ui.confusion_cells.IMAGES_BESIDE", 4)
    finished_run(store, Recipe("0"), small_data, never=tuple(range(1, 10)))
    at = confusion_page(true="T-shirt/top", predicted="T-shirt/top")
    every = np.flatnonzero(small_data.test_labels == 0)
    assert len(shown_images(at)) == 4 < len(every)
    assert {*map(int, (option.removeprefix("#") for option in at.selectbox(key="image").options))} == {*every}


def keep_epochs(store: Store, run: Run, *answers: np.ndarray) -> None:
    """Give a run's first epochs these answers."""
    kept = {f"predictions/{epoch}": pack(said.astype(np.uint8)) for epoch, said in enumerate(answers, start=1)}
    store.record(run.id, [], images_per_second=None, artifacts=kept)


def test_epochs_are_replayed_and_stand_side_by_side(store, small_data, fashion):
    labels = small_data.test_labels
    keep_epochs(store, finished_run(store, Recipe("0"), small_data), (labels + 1) % 10, (labels + (labels < 5)) % 10)
    at = confusion_page()
    assert says(at, "80.00% right")
    at.select_slider(key="epoch").set_value(1)
    again(at)
    assert says(at, "**Model 0, seed 0, after epoch 1** · 0.00% right")
    at = confusion_page(epoch="2", beside=["1", "the end"], cells="Difference", true="Coat", predicted="Sandal")
    assert at.selectbox(key="to").options == [
        "Model 0, seed 0, after epoch 1",
        "Model 0, seed 0, after epoch 2",
        "Model 0, seed 0",
    ]
    assert says(at, f"recognises {np.count_nonzero(labels >= 5)} more images than")
    assert says(at, "confidence is stored only for the end of training")


def test_epochs_that_were_not_kept_are_named(store, small_data, fashion):
    runs = three_models(store, small_data)
    keep_epochs(store, runs[1], small_data.test_labels)
    at = confusion_page([f"Model {model}, seed 0" for model in range(3)], epoch="1")
    assert says(at, "No answers were kept for Model 0, seed 0, after epoch 1 and Model 2, seed 0, after epoch 1.")
    assert [*charts(at)] == ["matrix-2@1"]
    assert not tiles(at), "nothing is mixed up"
    assert says(at, "**Model 1, seed 0, after epoch 1** makes no mistakes.")


def test_a_link_restores_the_whole_page_of_confusions(store, small_data, fashion):
    for seed in (0, 1):
        three_models(store, small_data, seed=seed)
    compared = ["Model 2, all seeds", "Model 0, seed 1"]
    query = {"cells": "Share of the predicted class", "true": "Bag", "predicted": "Bag", "of": compared[1]}
    first = shown_images(confusion_page(compared, **query))[0]
    at = confusion_page(compared, **query, image=f"#{first}")
    assert says(at, "**Model 0, seed 1** · ")
    assert says(at, f"Model 0, seed 1: **Bag** recognised, {len(shown_images(at))} images")
    assert says(at, f"Test image {first}: **Bag**")
    assert [key for key in charts(at) if key.startswith("probabilities")] == ["probabilities-all-3", "probabilities-4"]


@pytest.mark.parametrize(
    "pattern",
    [
        "All are wrong",
        "All are wrong in the same way",
        "Only Model 2, seed 0 is right",
        "Runs disagree: Model 1, all seeds",
    ],
)
def test_who_is_right_where_shows_the_images_of_a_hand_count(pattern, store, small_data, fashion):
    for seed in (0, 1):
        three_models(store, small_data, seed=seed)
    said = np.array([np.argmax(store.logits(id), axis=1) for id in (1, 2, 3)])
    right = said == small_data.test_labels
    expected = {
        "All are wrong": ~right.any(axis=0),
        "All are wrong in the same way": ~right.any(axis=0) & (said == said[0]).all(axis=0),
        "Only Model 2, seed 0 is right": right[2] & ~right[:2].any(axis=0),
        "Runs disagree: Model 1, all seeds": said[1] != np.argmax(store.logits(5), axis=1),
    }[pattern]
    assert expected.any()
    at = confusion_page(view="Who is right", pattern=pattern)
    assert f"**{pattern}:** {expected.sum()} of 100 images." in shown(at, "markdown")
    assert {*shown_images(at)} == {*np.flatnonzero(expected)}
    assert not charts(at), "the matrices are worked out though they are not shown"


def test_possible_wrong_labels_are_listed_for_download(store, small_data, fashion, monkeypatch):
    wrong = (small_data.test_labels + (np.arange(100) < 3)) % 10
    invented = making.invented_logits
    monkeypatch.setattr(making, "invented_logits", lambda _, *args, **seed: invented(wrong, *args, **seed))
    for model in ARCHITECTURES:
        finished_run(store, Recipe(model), small_data, accuracy=1)
    assert shown_images(confusion_page(view="Who is right", pattern="Possible wrong labels")), "an old link"
    at = confusion_page(view="Possible wrong labels")
    assert says(at, "**Possible wrong labels:** 3 of 100 images.")
    assert says(
        at, "All 3 runs of Model 0, Model 1 and Model 2 give the same answer with a probability of at least 90%, and it"
    )
    table = at.dataframe[0].value.set_index("image")
    assert {*table.index} == {*shown_images(at)} == {0, 1, 2}
    assert table.loc[0, "label"] == CLOTHES.classes[small_data.test_labels[0]]
    assert table.loc[0, "answer"] == CLOTHES.classes[wrong[0]]
    assert at.get("download_button")[0].proto.label == "Download as CSV"


def test_what_doubts_a_label_is_said_without_what_failed_to_learn(store, small_data, fashion):
    dead = tuple(range(1, 10))
    finished_run(store, Recipe("1"), small_data, never=dead)
    assert says(
        confusion_page(view="Possible wrong labels"), "All runs failed to learn: none of them can doubt a label"
    )
    finished_run(store, Recipe("0"), small_data)
    at = confusion_page(view="Possible wrong labels")
    assert says(at, "Model 0 gives an answer with a probability of at least 90%, and it is not the label.")
    assert says(at, "Left out: 1 that failed to learn.") and not says(at, "All 1 runs")


def test_one_image_is_no_plural(store, small_data, fashion):
    for seed in (0, 1):
        finished_run(store, Recipe("0", seed), small_data, accuracy=0.98 + seed / 100)
    at = confusion_page(["Model 0, seed 0", "Model 0, seed 1"], cells="Difference")
    assert says(at, "recognises 1 more image than")
    said = store.predictions(1, 3)
    [first, _] = np.flatnonzero(said != small_data.test_labels)
    true, wrong = (CLOTHES.classes[label] for label in (small_data.test_labels[first], said[first]))
    at = confusion_page(["Model 0, all seeds"], true=true, predicted=wrong)
    assert says(at, " 1 time on 1 image, ") or says(at, " 2 times on 1 image, ")


def test_a_caption_says_the_answer_of_several_seeds_once(store, small_data, fashion):
    for seed in (0, 1):
        finished_run(store, Recipe("0", seed), small_data, accuracy=0.6 + seed / 5)
    at = confusion_page()
    cells = [(row, column) for row in range(10) for column in range(10) if row != column]
    seen = 0
    for row, column in cells[:6]:
        at = confusion_page(true=CLOTHES.classes[row], predicted=CLOTHES.classes[column])
        seen += len(tiles(at))
        for caption in tiles(at):
            _, *lines = caption.split("\n")
            said = [line for line in lines if CLOTHES.classes[column] in line]
            assert len(said) == 1 and " of 2 runs" in said[0]
    assert seen
