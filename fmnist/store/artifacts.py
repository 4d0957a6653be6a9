"""The names of artifacts: what is kept of a run in one piece. What was measured on held-out images says so."""

from __future__ import annotations

from fmnist.recipe import Recipe

AT_ONCE = "at once"
"""Beside the checkpoint of an unfinished run: `Result.at_once` so far, for its time is counted from the beginning."""
HELD_OUT_LOGITS, HELD_OUT_LABELS = "validation/logits", "validation/labels"


def predictions_name(split: str, epoch: int) -> str:
    """Of the predicted classes after an epoch.

    Args:
        split: "test" or "validation".
    """
    return f"predictions/{epoch}" if split == "test" else f"{split}/predictions/{epoch}"


def measured(recipe: Recipe) -> tuple[str, ...]:
    """The artifacts with what a finished run answers to the images on which it is measured."""
    names: tuple[str, ...] = ("logits", predictions_name("test", recipe.epochs))
    if recipe.validation:
        names += (HELD_OUT_LOGITS, HELD_OUT_LABELS, predictions_name("validation", recipe.epochs))
    return names


def in_words(name: str) -> str:
    """An artifact for people: "predictions", "held-out logits"."""
    words = [part for part in name.split("/") if not part.isdecimal()]
    return " ".join(words).replace("validation", "held-out")
