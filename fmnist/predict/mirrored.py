"""What models make of shoes that point the other way: the test images of shoes, mirrored. Imports torch."""

from __future__ import annotations

from statistics import fmean
from typing import NamedTuple

import numpy as np

from fmnist import metrics
from fmnist.data.files import TestSet
from fmnist.data.peculiarities import SHOES
from fmnist.models import inference
from fmnist.predict import prediction
from fmnist.store.library import Group, Library


class ShoesRight(NamedTuple):
    """The share of the shoes that are answered rightly, the mean over seeds: as they are, and mirrored."""

    as_they_are: float
    mirrored: float


def shoes_right(library: Library, group: Group, data: TestSet) -> ShoesRight:
    """How many of the test images of shoes a group answers rightly. Worked out once for all viewers.

    Raises:
        DamagedRun, ModelError: as `Library.predictions` and `prediction.load_model`.
    """
    return library.remember(("shoes right", group.id, data.fingerprint), lambda: _shoes_right(library, group, data))


def _shoes_right(library: Library, group: Group, data: TestSet) -> ShoesRight:
    shoes = np.isin(data.test_labels, [group.recipe.info.classes.index(name) for name in SHOES])
    labels = data.test_labels[shoes]
    inputs = inference.as_input(np.ascontiguousarray(data.test_images[shoes][:, :, ::-1]))
    models = [prediction.load_model(library, run) for run in group.runs]
    as_they_are = (metrics.accuracy(library.predictions(run)[shoes], labels) for run in group.runs)
    mirrored = (metrics.accuracy(metrics.predict(inference.evaluate(model, inputs)), labels) for model in models)
    return ShoesRight(fmean(as_they_are), fmean(mirrored))
