"""Text that every room puts together in the same way."""

from __future__ import annotations

import pytest

from fmnist.words import escape, listed


@pytest.mark.parametrize(
    ("names", "words"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_are_listed_as_people_list_them(names, words):
    assert listed(iter(names)) == words


def test_text_of_unknown_origin_is_no_markdown():
    assert escape("**bold** [x](y) :red[z] $1") == r"\*\*bold\*\* \[x\]\(y\) \:red\[z\] \$1"
    assert escape("Zero is 0, and a comma.") == "Zero is 0, and a comma."
