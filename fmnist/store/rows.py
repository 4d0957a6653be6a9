"""A row of the table `runs` as a `Run`: every value is looked at, for the file may have been damaged or written in."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from fmnist.data.catalog import DATASETS
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.database import listed
from fmnist.store.run import Result, Run, Status
from fmnist.store.values import is_number, is_time, is_whole

MODEL = "CASE WHEN typeof(recipe) = 'text' AND json_valid(recipe) THEN json_extract(recipe, '$.model') END"
"""In SQL: the model of a run; nothing where its recipe is damaged. SQLite's own functions would end the query there."""


def without(field: str, text: str = "recipe") -> str:
    """In SQL: a recipe but for a field; a damaged one as it is, and equal to itself alone."""
    return (
        f"CASE WHEN typeof({text}) = 'text' AND json_valid({text}) THEN json_remove({text}, '$.{field}') "
        f"WHEN {text} IS NOT NULL THEN hex({text}) END"
    )


class DamagedRow(ValueError):
    """A row that can't be read. The message names what of it, such as "its result can't be read"."""


class UnknownRecipe(ValueError):
    """A run of a model or on data that this program does not have: left alone, and no fault."""


def read_row(values: Mapping[str, Any], source: str) -> Run:
    """The run in a row.

    Args:
        values: of its columns, by name.
        source: whose run it is.

    Raises:
        UnknownRecipe, DamagedRow: there is none that this program can show.
    """
    found = {name: values[name] for name in FIELDS & values.keys()}
    for name, good in COLUMNS.items():
        if name in found and not good(found[name]):
            raise DamagedRow(f"its {name.replace('_', ' ')} can't be read")
    found["recipe"] = read_recipe(found["recipe"])
    found["status"] = status = Status(found["status"])
    found["stop"] = bool(found["stop"])
    found["rounded"] = bool(found.get("rounded", True))  # Stores of earlier versions do not say so.
    found["versions"] = _versions(found["versions"])
    try:
        found["result"] = Result.from_json(found["result"]) if found["result"] else None
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise DamagedRow("its result can't be read") from None
    if status == Status.DONE:
        for name in ("result", "finished", "steps", "parameters"):
            if found[name] is None:
                raise DamagedRow(f"its {name.replace('_', ' ')} {'are' if name[-1] == 's' else 'is'} missing")
    return Run(**found, source=source)


def read_recipe(text: Any) -> Recipe:
    """The recipe in the column of that name.

    Raises:
        UnknownRecipe, DamagedRow: there is none that this program knows.
    """
    try:
        fields = json.loads(text)
        if isinstance(fields, dict) and fields.keys() <= Recipe.__dataclass_fields__.keys():
            model, dataset = fields.get("model"), fields.get("dataset", "")
            if isinstance(model, str) and ARCHITECTURES.full_id(model) not in ARCHITECTURES:
                raise UnknownRecipe(model)
            if isinstance(dataset, str) and dataset and dataset not in DATASETS:
                raise UnknownRecipe(dataset)
        return Recipe(**fields)
    except UnknownRecipe:
        raise
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise DamagedRow("its recipe can't be read") from None


@lru_cache(maxsize=256)  # Thousands of runs were trained with the same versions.
def _versions(text: str | None) -> dict[str, str]:
    try:
        versions = json.loads(text or "{}")
    except (ValueError, RecursionError):
        versions = None
    if not isinstance(versions, dict) or not all(isinstance(version, str) for version in versions.values()):
        raise DamagedRow("its versions can't be read")
    return versions


# --- What a column may hold ---


def _or_nothing(good: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or good(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


STATUSES = frozenset(Status)

COLUMNS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("key", "recipe", "data_root"), _is_text),
    **dict.fromkeys(("device", "machine", "versions", "result", "error", "cluster", "node"), _or_nothing(_is_text)),
    "status": lambda value: isinstance(value, str) and value in STATUSES,
    "stop": is_whole,
    "created": is_time,
    **dict.fromkeys(("started", "updated", "finished"), _or_nothing(is_time)),
    **dict.fromkeys(("threads", "steps"), _or_nothing(lambda value: is_whole(value, 1))),
    **dict.fromkeys(("parameters", "multiply_adds"), _or_nothing(is_whole)),
    "step": is_whole,
    "rounded": lambda value: value in (0, 1),
    "images_per_second": _or_nothing(lambda value: is_number(value, 0)),
}
"""What tells whether a column can hold a value. Those of stores of earlier versions may be missing."""

FIELDS = Run.__dataclass_fields__.keys() - {"source"}
"""The columns of which a run is made."""

STANDING = (
    f"status IN {listed(Status)} AND typeof(step) = 'integer' AND typeof(finished) IN ('null', 'real', 'integer')"
)
"""In SQL: whether a row of `runs` says how the run stands."""

ASKED_FOR = "data_root != ''"
"""In SQL: whether a run was asked for here; one that was imported has no data to be trained on."""
