"""What a command answers, and what a sentence for a user looks like."""

from __future__ import annotations


def is_one_sentence(error: BaseException | str) -> bool:
    """Whether a message can be shown to a user: one line of several words."""
    text = str(error)
    return "\n" not in text and "Traceback" not in text and len(text.split()) > 3


class Answer:
    """What a command wrote, and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


def check_refused(answer: Answer, *named: object) -> None:
    """Exit code 1 and one sentence on standard error, that names what it is about."""
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("fmnist: ") and answer.err.endswith("\n") and answer.err.count("\n") == 1
    assert is_one_sentence(answer.err.removeprefix("fmnist: ").rstrip())
    for name in named:
        assert str(name) in answer.err
