"""What the words mean that a newcomer to machine learning may not know: shown on hover, beside where they stand."""

from __future__ import annotations

GLOSSARY = {
    "Seed": "The number that random choices start from: a model's first weights and the order of its images. "
    "The same seed gives the same run; other seeds show how much is luck.",
    "Run": "One training of one model with one seed.",
    "Epoch": "One pass over all training images.",
    "Step": "One update of the weights, after one batch of images.",
    "Loss": "How far answers are from the truth, with their confidence taken into account (cross-entropy). Training "
    "lowers it.",
    "Test accuracy": "The share of test images that are classified correctly. No model has seen them in training.",
    "Point": "A percentage point: from 80% to 85% is 5 points.",
    "95% interval": "The range that would contain the mean of very many runs in 95 of 100 such experiments. "
    "More runs make it narrower.",
    "Confidence": "The probability that a model gives to its own answer.",
    "Calibration": "Whether confidence can be trusted: of answers given with 80% confidence, 80% should be right.",
    "Expected calibration error": "How far apart confidence and accuracy are, on average: 0 is perfect.",
    "Logit": "The number that a model gives to each class; the class with the largest one is its answer. Softmax turns "
    "logits into probabilities.",
    "ReLU": "The step in a network that replaces negative numbers by 0.",
    "Recall": "The share of a class's images that are recognised.",
    "Precision": "The share of answers naming a class that are right.",
    "F1": "Recall and precision in one number, which is high only where both are (their harmonic mean).",
}
"""By the word as it begins a line, a definition in a sentence or two of Markdown."""


def explain(*words: str) -> str:
    """Definitions for the `help` of an element, in Markdown.

    Raises:
        KeyError: there is none of such a word.
    """
    return "\n\n".join(f"**{word}**: {GLOSSARY[word]}" for word in words)
