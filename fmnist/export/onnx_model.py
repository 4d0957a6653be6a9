"""ONNX: each run as a model that onnxruntime and others run, checked before it is given out. Imports torch.

The exporter is PyTorch's present one (torch.export); the earlier one, which traces, is deprecated.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from fmnist.data import sample
from fmnist.export import ExportError
from fmnist.export.chosen import Chosen, classes, dataset_title, file_name
from fmnist.models import inference
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict import prediction
from fmnist.store.run import Run
from fmnist.words import reason

OPSET, IR_VERSION = 20, 9
"""Of the files. PyTorch writes IR version 10, of which nothing is used here; onnxruntime reads it from 1.18 on only."""
CHECKED_IMAGES = 1000
TOLERANCE = 1e-4
"""By how much a logit may differ, as a share of the image's largest one, or of 1 if that is smaller.

Both compute in float32, but add up in another order. Of the reference runs' 15 x 10,000 x 10 logits none differed by
more than 6e-6 of the largest (on an AMD EPYC, onnxruntime 1.32). A wrong layer, layout or weight changes
them by far more than 1e-4."""


def write(chosen: Chosen, folder: Path) -> list[str]:
    """A .onnx file for each run: input "images", float32 (N, 1, 28, 28) in [0, 1]; output "logits", float32 (N, C).

    Raises:
        ExportError: PyTorch can't export the model, the export takes only one number of images, or onnxruntime gives
            other answers than PyTorch.
    """
    remarks = []
    for run in chosen.runs:
        model = prediction.load_model(chosen.library, run).to(memory_format=torch.contiguous_format)
        path = folder / f"{file_name(run)}.onnx"
        _describe(_export(model, run), run, path)
        remarks.append(_check(model, chosen, run, path))
    return remarks


def _export(model: nn.Module, run: Run) -> onnx.ModelProto:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                model,
                (torch.zeros(2, 1, 28, 28),),
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("N")},),
                opset_version=OPSET,
                verbose=False,
            )
        assert program is not None
        exported = program.model_proto
    except Exception as error:  # A model of the user's may use whatever can't be exported, in whatever way.
        why = reason(error)
        raise ExportError(f"{run.name} can't be exported to ONNX by PyTorch {torch.__version__}: {why}.") from None
    for part in (*exported.graph.input, *exported.graph.output):
        if not part.type.tensor_type.shape.dim[0].dim_param:
            raise ExportError(
                f"{run.name} can't be exported to ONNX: its forward pass turns the number of images into a constant, "
                f"as len(x), int(...) and loops over the images do: use x.shape[0] as it is."
            )
    exported.ir_version = IR_VERSION
    return exported


def _describe(model: onnx.ModelProto, run: Run, path: Path) -> None:
    """Write the model with what it is. What PyTorch notes of its own code, with paths of this machine, is left out."""
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        del part.metadata_props[:]
    for part in (*model.graph.initializer, model.graph, model, *model.functions):
        del part.metadata_props[:]
    facts = {
        "run": run.address,
        "name": run.name,
        "dataset": dataset_title(run),
        "recipe": run.recipe.describe(),
        "key": run.key,
        f"{run.recipe.evaluated_on}_accuracy": repr(run.finished_result.accuracy_to_choose_by),
        "classes": "\n".join(classes(run)),
        "input": "float32 (N, 1, 28, 28), grey values from 0 (background) to 1",
    }
    model.doc_string = f"{ARCHITECTURES[run.recipe.model].name}: {ARCHITECTURES[run.recipe.model].layers}"
    onnx.helper.set_model_props(model, facts)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def images_to_check(chosen: Chosen, run: Run) -> np.ndarray:
    """The first test images, uint8 (N, 28, 28); generated ones where they are not at hand."""
    data = chosen.data(run)
    images = data.test_images if data else np.asarray(sample.draw(CHECKED_IMAGES, seed=3)[0], np.uint8)
    return images[:CHECKED_IMAGES]


def _check(model: nn.Module, chosen: Chosen, run: Run, path: Path) -> str:
    """What came out of the comparison with onnxruntime, in a sentence."""
    inputs = inference.as_input(images_to_check(chosen, run))
    with torch.inference_mode():
        ours = model(inputs).numpy()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # Errors.
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    [theirs] = session.run(["logits"], {"images": inputs.numpy()})
    which = "test images" if chosen.data(run) else "generated images (the test images are not at hand)"
    return compare(run.name, ours, theirs, which)


def compare(name: str, ours: np.ndarray, theirs: np.ndarray, which: str) -> str:
    """Compare logits, float32 (N, C), of PyTorch and of onnxruntime.

    Returns:
        A sentence with how many agree, and how closely.

    Raises:
        ExportError: they differ by more than rounding does.
    """
    count = len(ours)
    if ours.shape != theirs.shape:
        raise ExportError(f"{name}: onnxruntime gives an output of shape {theirs.shape}, PyTorch {ours.shape}.")
    scale = np.maximum(np.abs(ours).max(axis=1), 1)
    share = np.abs(ours.astype(np.float64) - theirs).max(axis=1) / scale
    wrong = np.count_nonzero(~(share <= TOLERANCE))  # Also where one is not a number.
    if wrong:
        raise ExportError(
            f"{name}: onnxruntime answers differently from PyTorch for {wrong:,} of {count:,} {which}, "
            f"by {share.max():.1g} of the largest logit: the ONNX file was not exported."
        )
    # Where two classes are closer than rounding, either may come first.
    first, second = -np.sort(-ours, axis=1)[:, :2].T
    same = ours.argmax(axis=1) == theirs.argmax(axis=1)
    close = np.count_nonzero(~same & (first - second <= 2 * TOLERANCE * scale))
    assert np.count_nonzero(same) + close == count
    but = f"; {close} with two classes closer than rounding" if close else ""
    return (
        f"{name}: onnxruntime {onnxruntime.__version__} gives the same class for {np.count_nonzero(same):,} of "
        f"{count:,} {which}{but}; no logit differs by more than {share.max():.1g} of the largest."
    )
