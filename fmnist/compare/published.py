"""Accuracies on FashionMNIST that other people have published: the lines that the Compare page can draw."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedResult:
    """An accuracy on FashionMNIST's test set that somebody else has published."""

    name: str
    accuracy: float
    source: str
    link: str


PAPER = ("Xiao, Rasul and Vollgraf 2017, table 3", "https://arxiv.org/abs/1708.07747")
README = ("README of zalandoresearch/fashion-mnist", "https://github.com/zalandoresearch/fashion-mnist#benchmark")
PUBLISHED_RESULTS = (
    PublishedResult("People (crowd)", 0.835, *README),
    PublishedResult("Logistic regression", 0.842, *PAPER),
    PublishedResult("MLP, 100 ReLU units", 0.871, *PAPER),
    PublishedResult("Two convolutions with pooling", 0.876, *README),
    PublishedResult("Best known (WRN-40-4)", 0.967, *README),
)


def sources() -> str:
    """What each result is, and where it was published: Markdown."""
    return " · ".join(f"{one.name} {one.accuracy:.1%}: [{one.source}]({one.link})" for one in PUBLISHED_RESULTS)
