"""What Compare, the Dashboard and the report show: on the reference runs, held against other code than theirs."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from helpers.making import finished_run
from plotly.offline import get_plotlyjs
from sklearn.metrics import precision_recall_fscore_support

from fmnist.compare import comparison, report
from fmnist.compare.comparison import Comparison
from fmnist.compare.cost_charts import COSTS
from fmnist.recipe import Recipe
from fmnist.store.library import Library, default_groups
from fmnist.store.store import Store
from fmnist.words import escape


@pytest.fixture
def library(store) -> Library:
    return Library(store)


@pytest.fixture
def reference(library, real_data) -> Comparison:
    """The three models with five seeds each."""
    return Comparison(library, default_groups(library.groups("fashion-mnist", "reference")), real_data.test_labels)


def answers_of(comparison: Comparison, library: Library, group: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The logits and the predicted classes that are stored of each seed."""
    return [
        (library.logits(run).astype(np.float64), library.stores[run.source].predictions(run.id, run.recipe.epochs))
        for run in comparison.groups[group].runs
    ]


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+\.\d+", text)]


def test_means_and_intervals_are_scipys(reference, library, real_data):
    for index, (_, row) in enumerate(reference.tables[0].iterrows()):
        accuracies = [
            np.mean(predicted == real_data.test_labels) for _, predicted in answers_of(reference, library, index)
        ]
        low, high = scipy.stats.t.interval(0.95, 4, np.mean(accuracies), scipy.stats.sem(accuracies))
        assert (row["accuracy_mean"], row["accuracy_low"], row["accuracy_high"]) == pytest.approx(
            (np.mean(accuracies), low, high)
        )
        assert (
            f"{row['name']} {row['accuracy_mean']:.1%} (95% interval {low:.1%} to {high:.1%})"
            in reference.accuracy().alt
        )


def test_whiskers_end_where_an_accuracy_can_be(library, store, small_data):
    for seed in range(5):
        never = tuple(range(1, 10)) if seed == 4 else ()
        finished_run(store, Recipe("2", seed=seed, dataset="sample"), small_data, accuracy=0.88, never=never)
    picture = Comparison(library, library.groups("sample")).accuracy()
    mean = picture.figure.data[-1]
    assert mean.x[0] + mean.error_x.array[0] == pytest.approx(1) and "to 100.0%)" in picture.alt
    assert mean.x[0] - mean.error_x.arrayminus[0] == pytest.approx(numbers(picture.alt)[1] / 100, abs=1e-3)


def test_a_curve_is_the_mean_over_seeds_with_its_interval(reference, library):
    figure = reference.learning("loss", "test", "epoch").figure
    runs = reference.groups[2].runs
    history = library.history(runs, "test")
    by_epoch = history.pivot(index="epoch", columns="run", values="loss").to_numpy()
    [mean] = [trace for trace in figure.data if trace.name == "Model 2"]
    assert mean.y == pytest.approx(by_epoch.mean(axis=1).tolist())
    low, high = scipy.stats.t.interval(0.95, 4, by_epoch.mean(axis=1), scipy.stats.sem(by_epoch, axis=1))
    assert numbers(mean.text[1]) == pytest.approx([by_epoch[1].mean(), low[1], high[1]], abs=5e-4)


def test_the_seconds_of_a_mean_curve_are_mean_seconds(reference, library):
    figure = reference.learning("accuracy", "train", "seconds").figure
    history = library.history(reference.groups[0].runs, "train")
    last = history[history["step"] == history["step"].max()]
    [mean] = [trace for trace in figure.data if trace.name == "Model 0"]
    assert mean.x[-1] == pytest.approx(last["seconds"].mean())
    assert mean.y[-1] == pytest.approx(last["accuracy"].mean())


def test_class_scores_are_scikit_learns(reference, library, real_data):
    table = reference.class_table()
    for index, group in enumerate(reference.groups):
        scores = [
            precision_recall_fscore_support(real_data.test_labels, predicted, zero_division=np.nan)
            for _, predicted in answers_of(reference, library, index)
        ]
        precision, recall, f1, _ = np.array(scores).swapaxes(0, 1)
        rows = table[table["group"] == group.title]
        assert rows["precision"].tolist() == pytest.approx(np.nanmean(precision, axis=0).tolist())
        assert rows["recall"].tolist() == pytest.approx(recall.mean(axis=0).tolist())
        assert rows["f1"].tolist() == pytest.approx(np.nan_to_num(f1).mean(axis=0).tolist())
    assert reference.say_hardest().startswith("**Shirt** is the hardest class")


def test_confidence_is_a_hand_count_of_each_seed(reference, library, real_data):
    for index, sentence in enumerate(reference.calibrated()):
        seeds = []
        for logits, predicted in answers_of(reference, library, index):
            shares = scipy.special.softmax(logits, axis=1)
            right = predicted == real_data.test_labels
            table = pd.DataFrame({"confidence": shares.max(axis=1), "right": right})
            table["bin"] = pd.cut(table["confidence"], np.linspace(0, 1, 16))
            bins = table.groupby("bin", observed=True).agg(
                confidence=("confidence", "mean"), right=("right", "mean"), images=("right", "size")
            )
            error = ((bins["confidence"] - bins["right"]).abs() * bins["images"]).sum() / len(table)
            seeds.append((table["confidence"].mean(), right.mean(), error))
        means = 100 * np.mean(seeds, axis=0)
        gaps = [100 * abs(confidence - accuracy) for confidence, accuracy, _ in seeds]
        assert numbers(sentence) == pytest.approx([*means, *gaps], abs=0.051)
        assert "mean of 5 runs" in sentence


def test_selective_accuracy_is_the_mean_of_the_seeds(reference, library, real_data):
    [trace] = [trace for trace in reference.selective().figure.data if trace.name == "Model 2"]
    place = int(np.searchsorted(trace.x, 0.8 - 1e-9))
    kept = []
    for logits, predicted in answers_of(reference, library, 2):
        surest = np.argsort(-scipy.special.softmax(logits, axis=1).max(axis=1), kind="stable")[:8000]
        kept.append(np.mean(predicted[surest] == real_data.test_labels[surest]))
    assert trace.x[place] == pytest.approx(0.8, abs=1e-3) and trace.y[place] == pytest.approx(np.mean(kept), abs=1e-3)
    assert f"{100 * trace.y[place]:.1f}% on the 80% it is most confident about" in reference.selective().alt


def test_what_is_worth_its_cost_is_what_nobody_beats(reference):
    cost = COSTS["multiply_adds"]
    assert reference.say_cost(cost) == (
        "Worth their cost: **Model 0 (82.6% for 7,840)**, **Model 2 (87.8% for 1,133,860)**. "
        "Model 1 is not worth it: another model is at least as accurate and no more expensive."
    )
    assert reference.what_differs().empty and reference.apart() == []


@pytest.fixture
def partly_timed(library, store, small_data) -> Comparison:
    """Three models at once, then two of them with three seeds: Model 2, the best, was timed apart from the others."""
    for model in "012":
        finished_run(store, Recipe(model), small_data, accuracy=0.6 + int(model) / 10, seconds=1 + int(model))
    for model in "01":
        for seed in (1, 2):
            recipe = Recipe(model, seed)
            finished_run(
                store, recipe, small_data, accuracy=0.8 - int(model) / 10, seconds=5 + int(model), machine="Another"
            )
    return Comparison(library, default_groups(library.groups("fashion-mnist", "own")), small_data.test_labels)


def test_a_model_that_was_timed_apart_stays_in_the_picture_and_is_named(partly_timed):
    cost = COSTS["train_seconds"]
    assert "**Model 2** is ahead" in partly_timed.answer and "times as long" not in partly_timed.answer
    picture = partly_timed.cost(cost)
    assert "Model 2 80.0% for 3.0 s (timed under different conditions)" in picture.alt
    large = {trace.name: trace for trace in picture.figure.data if trace.mode == "markers+text"}
    assert all(trace.cliponaxis is False for trace in large.values()), "the name of the best is cut off"
    hollow = {name: trace.marker.symbol.endswith("-open") for name, trace in large.items()}
    assert hollow == {"Model 0": False, "Model 1": False, "Model 2": True}
    small = {trace.name: trace.marker.symbol for trace in picture.figure.data if trace.mode == "markers"}
    open_seeds = {name: [symbol.endswith("-open") for symbol in symbols] for name, symbols in small.items()}
    both = {"Model 0": [True, False, False], "Model 1": [True, False, False], "Model 2": [True]}
    assert open_seeds == both
    said = partly_timed.say_cost(cost)
    assert said.startswith("Among Model 0 and Model 1, **Model 0 (73.3% for 5.0 s)** is the cheapest and has the")
    assert said.endswith("Left out: Model 2 (timed under different conditions).") and "the most accurate" not in said
    assert "Left out" not in partly_timed.say_cost(COSTS["parameters"])


def test_beside_the_reference_the_picture_compares_the_times_that_the_sentence_is_about(tmp_path, store, small_data):
    reference = Store(tmp_path / "reference.db")
    for model in "01":
        finished_run(store, Recipe(model), small_data, accuracy=0.8, seconds=1 + int(model))
    finished_run(store, Recipe("2"), small_data, accuracy=0.9, seconds=95, machine="Another")
    for model in "012":
        finished_run(reference, Recipe(model), small_data, seconds=2, machine="Another")
    reference.close()
    library = Library(store, reference.path)
    compared = Comparison(library, library.groups("fashion-mnist"), small_data.test_labels)
    cost = COSTS["train_seconds"]
    assert compared.say_cost(cost).endswith("Left out: Model 2 (timed under different conditions).")
    table = compared.tables[0].set_index("name")
    assert table.index[table["comparable"]].tolist() == ["Model 0", "Model 1"]
    assert "Model 2 90.0% for 95.0 s (timed under different conditions)" in compared.cost(cost).alt
    assert "Model 2 was timed on CPU of Another, alone, not on CPU of A processor, alone." in compared.apart()


def test_a_dearer_model_is_not_called_worth_it_without_a_word_where_its_lead_may_be_chance(library, store, small_data):
    for model, accuracies in (("0", (0.80, 0.84, 0.76)), ("2", (0.81, 0.80, 0.85))):
        for seed, accuracy in enumerate(accuracies):
            finished_run(store, Recipe(model, seed), small_data, accuracy=accuracy, seconds=1 + int(model))
    compared = Comparison(library, library.groups("fashion-mnist", "own"), small_data.test_labels)
    assert "That Model 2 is more accurate than Model 0 may be chance." in compared.say_cost(COSTS["train_seconds"])


@pytest.mark.parametrize(
    "accuracies, said",
    [
        (
            {"0.1": 0.8, "0.2": 0.9, "0.3": 0.7},
            "**Model 0 · SGD, lr 0.2, batch 32, 3 epochs (90.0% for 7,850)** costs as much as the others and has the",
        ),
        ({"0.1": 0.8, "0.2": 0.8}, "Worth their cost: **Model 0 (80.0% for 7,850)**, **Model 0 · SGD, lr 0.2"),
    ],
)
def test_what_costs_the_same_is_not_the_cheapest(library, store, small_data, accuracies, said):
    for rate, accuracy in accuracies.items():
        finished_run(store, Recipe("0", learning_rate=float(rate)), small_data, accuracy=accuracy)
    compared = Comparison(library, library.groups("fashion-mnist", "own"), small_data.test_labels)
    told = compared.say_cost(COSTS["parameters"]).replace("\\", "")
    assert said in told and "not worth it" not in told and "cheapest" not in told
    if len(accuracies) == 3:
        assert "3 epochs cost the same as a model whose higher mean accuracy may be chance." in told


def test_who_is_not_alone_the_cheapest_or_the_most_accurate_is_not_called_so(library, store, small_data):
    for model, (accuracy, seconds) in {"0": (0.8, 1.0), "1": (0.7, 1.0), "2": (0.8, 2.0)}.items():
        finished_run(store, Recipe(model), small_data, accuracy=accuracy, seconds=seconds)
    compared = Comparison(library, library.groups("fashion-mnist", "own"), small_data.test_labels)
    said = compared.say_cost(COSTS["train_seconds"])
    assert said.startswith("**Model 0 (80.0% for 1.0 s)** is among the cheapest and is among the most accurate.")
    assert "Model 2 is not worth it: another" in said and "Model 1 costs the same as a model whose" in said


def test_leads_on_home_are_what_compare_says_of_means(reference):
    said = [pair.sentence for pair in reference.pairs]
    assert len(reference.leads) == 2
    assert all(any(full.startswith(lead) for full in said) for lead in reference.leads)


def test_what_differs_besides_the_model_is_named(library, store, small_data):
    finished_run(store, Recipe("0", epochs=2, batch_size=64), small_data)
    finished_run(store, Recipe("2", 1), small_data, machine="Another processor")
    differing = Comparison(library, library.groups("fashion-mnist", "own")).what_differs().set_index("what")
    assert set(differing.index) == {"Epochs", "Batch size", "Seeds", "Timing conditions"}
    assert differing.loc["Epochs"].iloc[:2].tolist() == ["2", "3"]
    assert differing.loc["Timing conditions", "so"] == "Their times can't be compared."


def test_the_report_says_what_the_page_says_and_needs_no_network(reference):
    page = report.write(reference, with_images=True)
    assert len(page.encode()) < 10_000_000
    page = page.replace(get_plotlyjs(), "")
    for pair in reference.pairs:
        assert pair.sentence in page
    assert page.count("Save as SVG") == len(re.findall(r'<figure role="group"', page)) >= 8
    assert not re.findall(r'(?:src|href)="(?!data:)', page)  # nothing is fetched
    assert "<th>accuracy mean</th>" in page and "accuracy_mean</th>" not in page
    assert page.count('"showSendToCloud": false') == page.count("Plotly.newPlot(")  # nor is a chart offered to a cloud


def test_a_report_has_names_as_they_are(library, store, small_data):
    for seed in range(2):
        finished_run(store, Recipe("0", seed, learning_rate=1e-05), small_data)
    page = report.write(Comparison(library, library.groups("fashion-mnist", "own")), with_images=False)
    said = page.partition("<body>")[2].partition("<figure")[0]
    assert "lr 1e-05, batch 32" in said and "\\" not in said
    assert report._markdown(f"**{escape('My-CNN_(*wide*) <b> 50%')}**") == (
        "<strong>My-CNN_(*wide*) &lt;b&gt; 50%</strong>"
    )


def test_a_report_without_the_data_has_what_the_store_tells(library, store, small_data):
    finished_run(store, Recipe("0", learning_rate=0.25), small_data)
    page = report.write(Comparison(library, library.groups("fashion-mnist", "own")), with_images=False)
    assert "lr 0.25" in page and "<h2>Classes" not in page


def test_the_report_of_runs_that_hold_out_images_names_what_went_wrong_without_the_data(library, store, small_data):
    finished_run(store, Recipe("0", validation=60), small_data, never=(3,))
    compared = Comparison(library, library.trials("fashion-mnist"))
    assert "Class 3 (Dress) is never predicted" in report.write(compared, with_images=False)


def test_a_model_whose_arithmetic_is_not_counted_is_left_out_by_name_and_not_called_cheap(
    library, store, small_data, fmnist
):
    for model, (accuracy, count) in {"0": (0.7, 7_840), "1": (0.9, None), "2": (0.8, 1_133_860)}.items():
        finished_run(store, Recipe(model), small_data, accuracy=accuracy, multiply_adds=count)
    cost, compared = COSTS["multiply_adds"], Comparison(library, library.groups("fashion-mnist", "own"))
    left_out = "Left out: Model 1 (multiply-adds not counted)."
    said = compared.say_cost(cost)
    assert said.startswith("Among Model 0 and Model 2, worth their cost:") and said.endswith(left_out)
    picture = compared.cost(cost)
    assert {trace.name for trace in picture.figure.data} == {None, "Model 0", "Model 2"}
    assert picture.alt.endswith(left_out) and "Model 1 not counted" in compared.cost_bars(cost).alt
    assert left_out in report.write(compared, with_images=False)
    table = compared.table().set_index("name")
    assert table["multiply_adds"].astype(object).where(table["multiply_adds"].notna(), None).tolist() == [
        7_840,
        None,
        1_133_860,
    ]
    assert table["remarks"].tolist() == ["", "multiply-adds not counted", ""]
    assert "Left out" not in compared.say_cost(COSTS["parameters"])
    shown = [fmnist("runs", "show", id, "--format", "table").out for id in (1, 2)]
    assert ["not counted" in text for text in shown] == [False, True]


def test_of_many_seeds_some_are_drawn_and_all_are_counted(library, monkeypatch):
    groups = default_groups(library.groups("fashion-mnist", "reference"))
    points, said = [], []
    for most in (5, 3):
        monkeypatch.setattr(comparison, "MAX_SEEDS", most)
        compared = Comparison(Library(library.own), groups)
        pictures = (
            compared.accuracy(),
            compared.cost(COSTS["train_seconds"]),
            compared.learning("loss", "test", "step"),
        )
        points.append([sum(len(trace.x) for trace in picture.figure.data) for picture in pictures])
        said.append((compared.answer, compared.leads, [picture.alt for picture in pictures]))
        assert ("3 of them are drawn" in compared.left_out) == (most == 3)
    assert said[0] == said[1]
    marks = 2 * len(groups)  # That are left out; and of each line three epochs with the gap after it.
    assert np.subtract(*points).tolist() == [marks, marks, 4 * marks]
    for group in groups:
        accuracies = sorted(run.result.test_accuracy for run in group.runs)
        drawn = compared.drawn.loc[compared.drawn["group"] == group.id, "accuracy"]
        assert sorted(drawn) == accuracies[::2]
