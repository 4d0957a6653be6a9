"""What is compared on the page Confusion, against counts by hand over the stored logits."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from helpers import making
from helpers.making import finished_run, running_run
from sklearn import metrics

from fmnist import metrics as fmnist_metrics
from fmnist.compare import confusion
from fmnist.compare.confusion import Answers, Item
from fmnist.data.catalog import CLOTHES
from fmnist.data.files import Dataset
from fmnist.recipe import Recipe
from fmnist.store.arrays import pack
from fmnist.store.library import Library, default_groups
from fmnist.store.run import Run
from fmnist.store.store import Store

SHIRT, COAT, BAG = 6, 4, 8


@pytest.fixture
def library(store: Store, small_data: Dataset) -> Library:
    """Three seeds of Model 0, two of Model 2 of which one is dead, one run of Model 1, and one that is not finished."""
    for seed, accuracy in enumerate((0.5, 0.6, 0.7)):
        finished_run(store, Recipe("0", seed), small_data, accuracy=accuracy)
    finished_run(store, Recipe("2", 0), small_data, accuracy=0.9)
    finished_run(store, Recipe("2", 1), small_data, never=tuple(range(1, 10)))
    finished_run(store, Recipe("1"), small_data, accuracy=0.6)
    running_run(store, Recipe("1", 7), small_data)
    return Library(store, None)


def asked(library: Library, data: Dataset, *titles: str) -> list[Answers]:
    known = {item.title: item for item in confusion.items(library.groups("fashion-mnist"))}
    return [confusion.answers(library, known[title], data.test_labels) for title in titles]


def by_hand(library: Library, runs: tuple[Run, ...]) -> list[list[list[float]]]:
    """Probabilities of each run, image and class, one number after the other."""
    return [[softmax_of([float(x) for x in row]) for row in library.logits(run)] for run in runs]


def softmax_of(logits: list[float]) -> list[float]:
    powers = [math.exp(x) for x in logits]
    return [power / sum(powers) for power in powers]


def best_of(values: list[float]) -> int:
    return max(range(10), key=lambda label: values[label])


def mean_of(seeds: list[list[list[float]]], image: int) -> list[float]:
    return [sum(seed[image][label] for seed in seeds) / len(seeds) for label in range(10)]


# What can be compared


def test_groups_of_several_seeds_come_first_then_every_finished_run(library):
    titles = [item.title for item in confusion.items(library.groups("fashion-mnist"))]
    assert titles == [
        "Model 0, all seeds",
        "Model 2, all seeds",
        "Model 0, seed 0",
        "Model 0, seed 1",
        "Model 0, seed 2",
        "Model 1, seed 0",
        "Model 2, seed 0",
        "Model 2, seed 1",
    ]


def test_recipes_and_devices_are_told_apart(store, small_data):
    finished_run(store, Recipe("0"), small_data)
    finished_run(store, Recipe("0", epochs=5), small_data)
    finished_run(store, Recipe("0"), small_data, device="NVIDIA H100")
    items = confusion.items(Library(store, None).groups("fashion-mnist"))
    assert len({item.title for item in items}) == len({item.id for item in items}) == 3


def test_names_are_as_short_as_tells_them_apart(library):
    known = {item.title: item for item in confusion.items(library.groups("fashion-mnist"))}
    group, first, second, other = (
        known[title] for title in ("Model 0, all seeds", "Model 0, seed 0", "Model 0, seed 1", "Model 2, seed 1")
    )
    assert confusion.short_names([first, other]) == ["Model 0", "Model 2"]
    assert confusion.short_names([group, first, second]) == ["Model 0, all seeds", "Model 0, seed 0", "Model 0, seed 1"]
    assert confusion.short_names([first.after(1), first]) == ["Model 0, epoch 1", "Model 0, epoch 3"]
    mixed = [first.after(1), first, second]
    assert confusion.short_names(mixed) == [item.title for item in mixed]


def test_after_its_last_epoch_a_run_is_at_its_end(library):
    item = confusion.items(library.groups("fashion-mnist"))[2]
    assert item.after(None) == item.after(3) == item.after(99) == item
    earlier = item.after(2)
    assert earlier.title == "Model 0, seed 0, after epoch 2"
    assert earlier.id != item.id


# Matrices


def test_the_table_to_take_along_holds_every_cell(library, small_data):
    shown = asked(library, small_data, "Model 0, all seeds", "Model 0, seed 1")
    table = confusion.as_table(shown)
    assert len(table) == 200
    for answers in shown:
        part = table[table["what"] == answers.item.title]
        matrix = part.pivot(index="true", columns="predicted", values="images").loc[
            list(CLOTHES.classes), list(CLOTHES.classes)
        ]
        assert np.array_equal(matrix, answers.matrix) and set(part["seeds"]) == {answers.seeds}


def test_a_run_has_scikit_learns_matrix_and_a_group_the_sum_of_them(library, small_data):
    [group, run] = asked(library, small_data, "Model 0, all seeds", "Model 0, seed 1")
    said = [[best_of(row) for row in seed] for seed in by_hand(library, group.item.runs)]
    each = [metrics.confusion_matrix(small_data.test_labels, seed, labels=range(10)) for seed in said]
    assert np.array_equal(run.matrix, each[1])
    assert np.array_equal(group.matrix, sum(each))
    accuracies = [metrics.accuracy_score(small_data.test_labels, seed) for seed in said]
    assert run.accuracy == accuracies[1]
    assert group.accuracy == pytest.approx(sum(accuracies) / 3)
    assert group.of_class(SHIRT) == 3 * np.count_nonzero(small_data.test_labels == SHIRT)


def test_a_groups_answer_is_the_class_of_the_highest_mean_probability(library, small_data):
    [group] = asked(library, small_data, "Model 0, all seeds")
    seeds = by_hand(library, group.item.runs)
    assert group.answer.tolist() == [best_of(mean_of(seeds, image)) for image in range(100)]
    known = confusion.mean_probabilities(library, group.item, np.array([7, 3]))
    assert known == pytest.approx(np.array([mean_of(seeds, 7), mean_of(seeds, 3)]))


def test_the_most_accurate_is_found(library, small_data):
    compared = asked(library, small_data, "Model 0, all seeds", "Model 2, seed 0", "Model 2, all seeds")
    assert confusion.most_accurate(compared) is compared[1]


PAIRS = [
    ("Model 0, seed 0", "Model 2, seed 0"),
    ("Model 0, all seeds", "Model 2, all seeds"),
    ("Model 0, all seeds", "Model 2, seed 0"),
]


@pytest.mark.parametrize("titles", PAIRS)
def test_a_difference_has_rows_that_sum_to_0_and_the_gap_on_its_diagonal(library, small_data, titles):
    before, after = asked(library, small_data, *titles)
    change = confusion.difference(before, after)
    assert change.sum(axis=1) == pytest.approx(np.zeros(10), abs=1e-9)
    gap = (after.accuracy - before.accuracy) * 100
    assert gap != 0
    assert np.trace(change) == pytest.approx(gap)
    assert confusion.images_gained(before, after) == pytest.approx(gap)
    true, said, count = confusion.most_changed(change, 3)[0]
    assert abs(count) == np.abs(change).max() and change[true, said] == count


@pytest.mark.parametrize("title", ["Model 0, seed 0", "Model 0, all seeds"])
def test_a_model_against_itself_has_no_difference_and_no_flips(library, small_data, title):
    [same] = asked(library, small_data, title)
    assert not confusion.difference(same, same).any()
    assert confusion.images_gained(same, same) == 0
    assert confusion.most_changed(confusion.difference(same, same), 5) == []
    parts = confusion.flips(library, same, same, small_data.test_labels, (SHIRT, COAT))
    assert not len(parts["fixed"]) and not len(parts["broken"]) and not len(parts["moved"])


# The images of a cell


@pytest.mark.parametrize("title", ["Model 0, seed 0", "Model 0, all seeds", "Model 2, all seeds"])
def test_a_cell_holds_the_images_of_a_hand_count_the_surest_first(library, small_data, title):
    [of] = asked(library, small_data, title)
    seeds = by_hand(library, of.item.runs)
    total = 0
    for true in range(10):
        for said in range(10):
            found = [
                image
                for image, label in enumerate(small_data.test_labels)
                if label == true and any(best_of(seed[image]) == said for seed in seeds)
            ]
            found.sort(key=lambda image: (-mean_of(seeds, image)[said], image))
            shown = confusion.cell_images(library, of, small_data.test_labels, (true, said))
            assert shown.tolist() == found
            votes = of.seeds_saying(said, shown)
            assert votes.tolist() == [sum(best_of(seed[image]) == said for seed in seeds) for image in found]
            assert votes.sum() == of.matrix[true, said]
            total += len(found)
    assert total >= 100


def test_of_equally_sure_images_the_first_comes_first(library, small_data):
    [dead] = asked(library, small_data, "Model 2, seed 1")  # It gives class 0 a probability of 1, whatever it sees.
    shown = confusion.cell_images(library, dead, small_data.test_labels, (BAG, 0))
    assert shown.tolist() == np.flatnonzero(small_data.test_labels == BAG).tolist()


@pytest.mark.parametrize("titles", PAIRS)
@pytest.mark.parametrize("cell", [(SHIRT, COAT), (SHIRT, SHIRT), (BAG, 0)])
def test_flips_are_those_of_a_hand_count_judged_by_who_says_the_cells_class(library, small_data, titles, cell):
    before, after = asked(library, small_data, *titles)
    true, said = cell
    first, second = (
        [mean_of(seeds, image) for image in range(100)]
        for seeds in (by_hand(library, before.item.runs), by_hand(library, after.item.runs))
    )
    parts: dict[str, list[int]] = {"fixed": [], "broken": [], "alike": [], "moved": []}
    for image in np.flatnonzero(small_data.test_labels == true).tolist():
        old, new = best_of(first[image]), best_of(second[image])
        if said not in (old, new) and true != said:
            continue
        if old == new:
            if old == said:
                parts["alike"].append(image)
        elif new == true:
            parts["fixed"].append(image)
        elif old == true:
            parts["broken"].append(image)
        elif true != said:
            parts["moved"].append(image)

    def sureness(image: int) -> float:
        return max(answer[image][said] for answer in (first, second) if best_of(answer[image]) == said)

    found = confusion.flips(library, before, after, small_data.test_labels, cell)
    for name, images in parts.items():
        assert found[name].tolist() == sorted(images, key=lambda image: (-sureness(image), image)), name


def two_of_ten(shirt: float, coat: float) -> np.ndarray:
    """Probabilities of the two, and what is left shared by the others."""
    values = np.full(10, (1 - shirt - coat) / 8)
    values[[SHIRT, COAT]] = shirt, coat
    return values


def test_who_does_not_say_the_cells_class_does_not_judge(store, small_data, monkeypatch):
    weaker, stronger = np.flatnonzero(small_data.test_labels == SHIRT)[:2]
    probabilities = np.full((2, 100, 10), 0.1)
    probabilities[0, weaker] = two_of_ten(0.40, 0.41)
    probabilities[0, stronger] = two_of_ten(0.40, 0.44)
    probabilities[1, weaker] = two_of_ten(0.50, 0.46)  # Right, though it finds the wrong class likelier than the first.
    probabilities[1, stronger] = two_of_ten(0.90, 0.05)
    logits = np.log(probabilities)
    monkeypatch.setattr(making, "invented_logits", lambda *_, seed: logits[seed].astype(np.float16))
    for seed in (0, 1):
        finished_run(store, Recipe("0", seed), small_data)
    library = Library(store, None)
    before, after = asked(library, small_data, "Model 0, seed 0", "Model 0, seed 1")
    parts = confusion.flips(library, before, after, small_data.test_labels, (SHIRT, COAT))
    assert parts["fixed"].tolist() == [stronger, weaker]


def test_a_cell_of_the_difference_is_what_was_broken_less_what_was_put_right(library, small_data):
    before, after = asked(library, small_data, "Model 0, seed 0", "Model 2, seed 0")
    change = confusion.difference(before, after)
    for label in range(10):
        parts = confusion.flips(library, before, after, small_data.test_labels, (label, label))
        assert len(parts["fixed"]) - len(parts["broken"]) == change[label, label]


# Epochs


def keep_epoch(store: Store, run: Run, epoch: int, said: np.ndarray) -> None:
    kept = {f"predictions/{epoch}": pack(said.astype(np.uint8))}
    store.record(run.id, [], images_per_second=None, artifacts=kept)


def test_after_an_epoch_the_answers_are_those_that_were_kept(store, small_data):
    labels = small_data.test_labels
    runs = [finished_run(store, Recipe("0", seed), small_data, accuracy=0.9) for seed in range(3)]
    library = Library(store, None)
    group, single = (confusion.items(library.groups("fashion-mnist"))[place].after(1) for place in (0, 1))
    keep_epoch(store, runs[0], 1, (labels + 1) % 10)
    keep_epoch(store, runs[1], 1, (labels + 1) % 10)
    assert confusion.answers(library, group, labels) is None  # The third seed has not kept them.
    keep_epoch(store, runs[2], 1, labels)
    answers = confusion.answers(library, group, labels)
    assert answers.accuracy == pytest.approx(1 / 3)
    assert answers.answer.tolist() == ((labels + 1) % 10).tolist()  # Two of three say so.
    assert confusion.probabilities(library, single, np.array([0])) is None
    alone = confusion.answers(library, single, labels)
    shown = confusion.cell_images(library, alone, labels, (SHIRT, SHIRT + 1))
    assert shown.tolist() == np.flatnonzero(labels == SHIRT).tolist()  # In order of their number.
    parts = confusion.flips(library, alone, answers, labels, (SHIRT, SHIRT + 1))
    assert parts["alike"].tolist() == shown.tolist()


# Who is right


def test_patterns_are_those_of_a_hand_count(library, small_data):
    compared = asked(library, small_data, "Model 0, all seeds", "Model 1, seed 0", "Model 2, seed 0")
    labels = small_data.test_labels.tolist()
    seeds = [by_hand(library, answers.item.runs) for answers in compared]
    means = [[mean_of(each, image) for image in range(100)] for each in seeds]
    said = [[best_of(row) for row in each] for each in means]
    right = [[image for image in range(100) if answers[image] == labels[image]] for answers in said]
    for which in range(3):
        others = {image for other in range(3) if other != which for image in right[other]}
        expected = [image for image in right[which] if image not in others]
        assert confusion.only_right(compared, small_data.test_labels, which).tolist() == expected
    wrong = [image for image in range(100) if not any(image in each for each in right)]
    alike = [image for image in wrong if said[0][image] == said[1][image] == said[2][image]]
    assert wrong and len(alike) < len(wrong)
    assert confusion.all_wrong(compared, small_data.test_labels).tolist() == wrong
    assert confusion.all_wrong(compared, small_data.test_labels, alike=True).tolist() == alike
    ranked = confusion.surest_answers_first(library, compared, np.array(wrong))
    sureness = {image: sum(means[which][image][said[which][image]] for which in range(3)) for image in wrong}
    assert ranked.tolist() == sorted(wrong, key=lambda image: (-sureness[image], image))


def test_where_seeds_disagree_the_most_divided_come_first(library, small_data):
    [group] = asked(library, small_data, "Model 0, all seeds")
    seeds = [[best_of(row) for row in seed] for seed in by_hand(library, group.item.runs)]
    votes = {image: [seed[image] for seed in seeds] for image in range(100)}
    split = [image for image, said in votes.items() if len({*said}) > 1]
    most = {image: max(said.count(label) for label in said) for image, said in votes.items()}
    assert len({most[image] for image in split}) == 2, "some have two of three votes, some one"
    assert confusion.seeds_disagree(group).tolist() == sorted(split, key=lambda image: (most[image], image))
    divided = split[0]
    assert sum(count for _, count in group.tally(divided)) == 3
    assert all(votes[divided].count(label) == count for label, count in group.tally(divided))


def test_dead_runs_are_not_asked_for_wrong_labels(library):
    runs = confusion.alive(library.groups("fashion-mnist"))
    alive = [*(f"Model 0, seed {seed}" for seed in range(3)), "Model 1, seed 0", "Model 2, seed 0"]
    assert [run.name for run in runs] == alive


# Cost


def test_nothing_is_read_of_runs_that_are_not_shown(library, small_data, monkeypatch):
    read = []
    logits = Library.logits
    monkeypatch.setattr(Library, "logits", lambda self, run: read.append(run.name) or logits(self, run))
    compared = asked(library, small_data, "Model 0, seed 2", "Model 2, seed 0")
    for one, other in combinations(compared, 2):
        confusion.flips(library, one, other, small_data.test_labels, (SHIRT, COAT))
    confusion.cell_images(library, compared[0], small_data.test_labels, (SHIRT, COAT))
    confusion.surest_answers_first(library, compared, confusion.all_wrong(compared, small_data.test_labels))
    assert {*read} == {"Model 0, seed 2", "Model 2, seed 0"}


def test_an_item_is_its_runs(library):
    item = confusion.items(library.groups("fashion-mnist"))[0]
    assert isinstance(item, Item)
    assert [run.recipe.seed for run in item.runs] == [0, 1, 2]
    assert (item.model, item.epochs) == ("0", 3)


def test_images_stand_by_the_probability_of_an_answer_and_equal_ones_by_their_number():
    logits = np.array([[0, 1], [0, 3], [0, 2], [5, 0], [0, 3]], np.float16)
    images = np.array([0, 1, 2, 4])
    probabilities = fmnist_metrics.softmax(logits[images])[:, 1]
    assert confusion._descending(images, probabilities).tolist() == [1, 4, 2, 0]


def test_of_thousands_of_runs_some_of_each_group_are_listed(store):
    groups = default_groups(Library(store).groups("fashion-mnist", "reference"))
    every = confusion.items(groups)
    assert len(every) == 18 and confusion.shortlist(every, groups, 18) == every
    some = confusion.shortlist(every, groups, 10)
    assert [item.id for item in some[:3]] == [item.id for item in every[:3]]
    assert [item.title for item in some[3:]] == [f"Model {model}, seed {seed}" for model in range(3) for seed in (0, 1)]
    assert len(confusion.shortlist(every, groups, 2)) == 3 + 3
