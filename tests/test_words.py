"""Text that every room puts together in the same way."""

from __future__ import annotations

import pytest

from fmnist.words import as_number, digits, escape, listed, plain, reason


@pytest.mark.parametrize(
    ("names", "words"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_are_listed_as_people_list_them(names, words):
    assert listed(iter(names)) == words


def test_text_of_unknown_origin_is_no_markdown():
    assert escape("**bold** [x](y) :red[z] $1") == r"\*\*bold\*\* \[x\]\(y\) \:red\[z\] \$1"
    assert escape("Zero is 0, and a comma.") == "Zero is 0, and a comma."
    assert escape("a file called \udcff") == r"a file called \\udcff"  # No page can be sent that.


COLOURED = "\x1b[31mAll \x1b[1;4mred\x1b[0m\x1b]8;;http://x\x07 link\x1b]8;;\x1b\\ and\x07 a bell.\x1b[2K"


@pytest.mark.parametrize("told", [plain, escape])
def test_what_is_meant_for_a_terminal_is_left_out(told):
    assert told(COLOURED).replace("\\", "") == "All red link and a bell."
    assert plain("Zwei\nZeilen\tmit → é") == "Zwei\nZeilen\tmit → é"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError(f"\n{COLOURED}\nand much more"), "All red link and a bell"),
        (ValueError(), "ValueError"),
        (ValueError("\x1b[0m"), "ValueError"),
        (FileNotFoundError(2, "No such file", "/x"), "No such file"),
        (RuntimeError("x" * 900), "x" * 200),
    ],
)
def test_what_others_raise_is_told_in_a_line(error, said):
    assert reason(error) == said


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.012345, "0.0123"), (1.4649, "1.46"), (32.149, "32.1"), (1234.4, "1,234"), (0, "0"), (-0.5, "-0.500")],
)
def test_three_digits_count_and_read_as_what_was_printed(number, text):
    assert digits(number) == text
    assert as_number(text) == pytest.approx(number, rel=5e-3)
