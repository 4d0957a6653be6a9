"""Train, compare and try image classifiers on FashionMNIST."""

__version__ = "0.1.0"
