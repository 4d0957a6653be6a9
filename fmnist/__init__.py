"""Train, compare and try image classifiers on FashionMNIST."""
