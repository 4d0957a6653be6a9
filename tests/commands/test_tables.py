"""What commands print for programs."""

from __future__ import annotations

import json
import math

import numpy as np

from fmnist.commands.tables import print_json


def test_numbers_that_are_not_finite_are_null_in_json(capsys):
    print_json({"interval": (math.nan, 0.5), "runs": [{"loss": math.inf, "rate": np.float64(-math.inf)}], "seeds": [1]})
    out = capsys.readouterr().out

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    found = json.loads(out, parse_constant=refuse)
    assert found == {"interval": [None, 0.5], "runs": [{"loss": None, "rate": None}], "seeds": [1]}


def test_what_json_cannot_hold_is_printed_as_it_was_agreed(capsys):
    print_json([b"\0", math.nan], default=repr)
    assert json.loads(capsys.readouterr().out) == ["b'\\x00'", None]
