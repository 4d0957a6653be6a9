"""What is remembered: runs, curves, weights, logits, in one SQLite file."""
