"""From logits and labels to every figure that is shown. No torch, no Streamlit.

Throughout: `logits` are float (N, C), `labels` and `predictions` are integer (N,), C is the number of classes.
Logits are stored as float16; every figure is computed from the stored values, so that it can be
recomputed from the store exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd  # Takes half a second, which workers do without.

CLASSES = 10


@dataclass(frozen=True)
class Known:
    """An accuracy on FashionMNIST's test set that somebody else has published."""

    name: str
    accuracy: float
    source: str
    link: str


PAPER = ("Xiao, Rasul and Vollgraf 2017, table 3", "https://arxiv.org/abs/1708.07747")
README = ("README of zalandoresearch/fashion-mnist", "https://github.com/zalandoresearch/fashion-mnist#benchmark")
REFERENCE_LINES = (
    Known("People (crowd)", 0.835, *README),
    Known("Logistic regression", 0.842, *PAPER),
    Known("MLP, 100 ReLU units", 0.871, *PAPER),
    Known("Two convolutions with pooling", 0.876, *README),
    Known("Best known (WRN-40-4)", 0.967, *README),
)


def predict(logits: np.ndarray) -> np.ndarray:
    """Predicted classes, uint8 (N,): the largest logit, the first one where several are equal."""
    return np.argmax(logits, axis=1).astype(np.uint8)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities, float64 (N, C); each row sums to 1."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-probability of the true class, in nats (torch.nn.CrossEntropyLoss)."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sums - shifted[np.arange(len(labels)), labels]))


def accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Top-1 accuracy: correct / all, a share of 1."""
    return int(np.count_nonzero(predictions == labels)) / len(labels)


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Counts, int64 (C, C): rows are the true class, columns the predicted one."""
    cells = labels.astype(np.int64) * CLASSES + predictions
    return np.bincount(cells, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def row_shares(matrix: np.ndarray) -> np.ndarray:
    """A confusion matrix as shares of each true class, float64 (C, C); an empty row stays 0."""
    totals = matrix.sum(axis=1, keepdims=True)
    return np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)


def column_shares(matrix: np.ndarray) -> np.ndarray:
    """A confusion matrix as shares of each predicted class, float64 (C, C); a class never predicted stays 0."""
    return row_shares(matrix.T).T


def most_confused(matrix: np.ndarray, count: int) -> list[tuple[int, int, int]]:
    """The `count` largest off-diagonal cells that are not empty: (true class, predicted class, images)."""
    errors = matrix.copy()
    np.fill_diagonal(errors, 0)
    order = np.argsort(-errors, axis=None, kind="stable")[:count]
    pairs = (divmod(int(cell), CLASSES) for cell in order)
    return [(true, predicted, int(errors[true, predicted])) for true, predicted in pairs if errors[true, predicted]]


def never_predicted(predictions: np.ndarray) -> list[int]:
    """Classes that no image was given."""
    return np.flatnonzero(np.bincount(predictions, minlength=CLASSES) == 0).tolist()


def is_dead(predictions: np.ndarray) -> bool:
    """Whether every image was given the same class: a model that no longer looks at its input."""
    return len(never_predicted(predictions)) == CLASSES - 1


def flips(labels: np.ndarray, first: np.ndarray, second: np.ndarray, cell: tuple[int, int]) -> dict[str, np.ndarray]:
    """The images behind a cell of the difference of two confusion matrices, second minus first.

    Args:
        labels, first, second: true labels and two runs' predictions, integer (N,).
        cell: (true, predicted).

    Returns:
        Indices, int: of a cell beside the diagonal "fixed" (the first predicted so, the second is right), "broken" (the
        other way round), "alike" (both predicted so), "moved" (one predicted so, the other another wrong class); of one
        on the diagonal the same, where "alike" are those that both recognise.
    """
    true, said = cell
    here, right = labels == true, (first == labels, second == labels)
    if true == said:
        parts = {
            "fixed": ~right[0] & right[1],
            "broken": right[0] & ~right[1],
            "alike": right[0] & right[1],
            "moved": np.zeros(len(labels), bool),
        }
    else:
        so = first == said, second == said
        parts = {
            "fixed": so[0] & right[1],
            "broken": so[1] & right[0],
            "alike": so[0] & so[1],
            "moved": (so[0] & ~so[1] & ~right[1]) | (so[1] & ~so[0] & ~right[0]),
        }
    return {name: np.flatnonzero(here & part) for name, part in parts.items()}


# --- Runs with the same recipe but for the seed ---

GROUP = ["source", "dataset", "model", "recipe", "device"]
"""What makes runs one group. `device` is where they really ran: "CPU", or the GPU's name."""


TIMES = ("train_seconds", "eval_seconds", "image_seconds", "single_seconds")
"""What depends on where a run was trained: fields of its result, and columns of the tables here."""


def newest_per_seed(runs: pd.DataFrame) -> pd.DataFrame:
    """One finished run per group and seed: a recipe that was trained again counts once, with its newest result.

    Args:
        runs: the columns of `GROUP`, and seed, finished, accuracy, dead, train_seconds, eval_seconds, parameters ...
    """
    return runs.sort_values("finished").drop_duplicates([*GROUP, "seed"], keep="last").sort_values([*GROUP, "seed"])


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per group of finished runs.

    Returns:
        The columns of `GROUP`, and seeds (list), runs (list), accuracy_mean, accuracy_std (n - 1 in the denominator;
        NaN for one seed), accuracy_min, accuracy_max: shares of 1, over all seeds, dead ones
        included; dead (their number), accuracy_alive (mean without them; NaN if none lives); each of `TIMES`, means
        over the seeds that were timed under the conditions of most seeds, which can be compared only between groups
        with the same; conditions: those; timed: these seeds (list); parameters, multiply_adds.
    """
    runs = newest_per_seed(runs)
    common = runs.groupby(GROUP)["conditions"].transform(lambda conditions: conditions.mode().iloc[0])
    times = (
        runs[runs["conditions"] == common]
        .groupby(GROUP, as_index=False)
        .agg(**{name: (name, "mean") for name in TIMES}, conditions=("conditions", "first"), timed=("seed", list))
    )
    groups = runs.groupby(GROUP, sort=False, as_index=False)
    table = groups.agg(
        seeds=("seed", list),
        runs=("run", list),
        accuracy_mean=("accuracy", "mean"),
        accuracy_std=("accuracy", "std"),
        accuracy_min=("accuracy", "min"),
        accuracy_max=("accuracy", "max"),
        dead=("dead", "sum"),
        parameters=("parameters", "first"),
        multiply_adds=("multiply_adds", "first"),
    )
    alive = runs[~runs["dead"].astype(bool)].groupby(GROUP, as_index=False).agg(accuracy_alive=("accuracy", "mean"))
    return table.merge(alive, how="left", on=GROUP).merge(times, how="left", on=GROUP)


def comparable(groups: pd.DataFrame) -> pd.Series:
    """Which groups' times stand in one picture, bool: those with the conditions of most; of equally many, of the first.

    Args:
        groups: `summarise`'s column conditions.
    """
    return groups["conditions"] == groups["conditions"].value_counts(sort=True).index[0]


def frontier(costs: pd.Series, accuracies: pd.Series) -> pd.Series:
    """Which models nobody beats on both, bool: none is at least as cheap and at least as accurate, and one of the two
    more so (the Pareto frontier)."""
    best = [
        not ((costs <= cost) & (accuracies >= accuracy) & ((costs < cost) | (accuracies > accuracy))).any()
        for cost, accuracy in zip(costs, accuracies, strict=True)
    ]
    return costs.notna() & np.array(best, dtype=bool)


def conclusion(groups: pd.DataFrame, runs: pd.DataFrame) -> str:
    """Which model to pick, in two or three sentences of Markdown.

    Args:
        groups: `summarise`'s columns, and id and name; not empty.
        runs: columns group (an id) and accuracy.
    """
    ranked = groups.sort_values("accuracy_mean", ascending=False)
    best = ranked.iloc[0]
    seeds = len(best["seeds"])
    over = f" on average over {seeds} seeds" if seeds > 1 else ""
    deaths = [say_dead(ranked)] if ranked["dead"].any() else []
    if len(ranked) == 1:
        sentence = f"**{best['name']}** recognises **{best['accuracy_mean']:.1%}** of the test images{over}."
        return " ".join([sentence, *deaths])
    second = ranked.iloc[1]
    points = 100 * (best["accuracy_mean"] - second["accuracy_mean"])
    sentences = [
        f"**{best['name']}** is the most accurate: **{best['accuracy_mean']:.1%}**{over}, "
        f"{points:.1f} points more than {second['name']}."
    ]
    alike = ranked[ranked["conditions"] == best["conditions"]]
    quickest = alike.loc[alike["train_seconds"].idxmin()]
    if quickest["id"] != best["id"]:
        ratio = best["train_seconds"] / quickest["train_seconds"]
        sentences.append(
            f"It takes {ratio:.{1 if ratio < 10 else 0}f} times as long to train as {quickest['name']} "
            f"({best['train_seconds']:.1f} s to {quickest['train_seconds']:.1f} s)."
        )
    rest = runs.loc[runs["group"] != best["id"], "accuracy"]
    alone = [group["name"] for _, group in ranked.iterrows() if len(group["seeds"]) == 1]
    if alone:
        which = "With one seed each" if len(alone) == len(ranked) else f"With one seed of {', '.join(alone)}"
        sentences.append(f"{which} this proves little: accuracy moves by some points from seed to seed.")
    elif best["accuracy_min"] > rest.max():
        sentences.append("Its worst seed is better than the best seed of any other.")
    else:
        sentences.append("But seeds overlap: its worst one is not better than the best one of the others.")
    return " ".join([*sentences, *deaths])


def say_dead(groups: pd.DataFrame) -> str:
    """How many runs are dead, and what their groups reach without them: a sentence.

    Args:
        groups: `summarise`'s columns, and name; at least one run is dead.
    """
    dead = int(groups["dead"].sum())
    said = [
        f"{row['name']} reaches {row['accuracy_alive']:.1%}"
        for _, row in groups[(groups["dead"] > 0) & groups["accuracy_alive"].notna()].iterrows()
    ]
    without = f"; without {'it' if dead == 1 else 'them'} {', '.join(said)}" if said else ""
    return f"{dead} of the runs {'is' if dead == 1 else 'are'} dead, giving one class for every image{without}."
