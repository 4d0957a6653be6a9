"""ONNX: onnxruntime answers as the store says, and what answers otherwise is not given out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.answers import is_one_sentence

from export.conftest import PROJECT, write
from fmnist import metrics
from fmnist.data.catalog import CLOTHES
from fmnist.export import ExportError
from fmnist.export.chosen import Chosen, file_name


def test_onnxruntime_gives_the_stored_predictions_for_1000_test_images(reference, real_data, tmp_path):
    remarks = write("onnx", reference, tmp_path)
    assert all("for 1,000 of 1,000 test images" in remark for remark in remarks)
    import onnx
    import onnxruntime

    images = (real_data.test_images[:1000, None] / 255).astype(np.float32)
    for run in reference.runs:
        path = tmp_path / f"{file_name(run)}.onnx"
        assert str(PROJECT).encode() not in path.read_bytes() and b"site-packages" not in path.read_bytes()
        facts = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
        assert facts["key"] == run.key and float(facts["test_accuracy"]) == run.result.test_accuracy
        assert tuple(facts["classes"].split("\n")) == CLOTHES.classes
        loaded = onnx.load(path)  # onnxruntime reads IR version 10 only from 1.18 on.
        assert (loaded.ir_version, [used.version for used in loaded.opset_import]) == (9, [20])
        session = onnxruntime.InferenceSession(str(path))
        for batch in (images, images[:1]):  # The batch size is free.
            [logits] = session.run(["logits"], {"images": batch})
            # Kept as float16, from another processor: equal but for that rounding.
            stored = reference.library.logits(run)[: len(batch)].astype(np.float32)
            assert np.allclose(logits, stored, rtol=0, atol=np.spacing(np.float16(np.abs(stored).max())))
            assert np.array_equal(metrics.predict(logits), reference.library.predictions(run)[: len(batch)])


def test_an_onnx_model_that_answers_otherwise_is_not_given_out():
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from fmnist.export.onnx_model import compare

    ours = np.random.default_rng(0).normal(size=(50, 10)).astype(np.float32)
    assert "50 of 50" in compare("Model", ours, ours * (1 + 1e-6), "images")
    for theirs in (ours[:, ::-1], ours + 0.01, np.full_like(ours, np.nan), ours[:, :9]):
        with pytest.raises(ExportError) as refused:
            compare("Model", ours, theirs, "images")
        assert is_one_sentence(refused.value)


@pytest.mark.parametrize("count", ["len(x)", "int(x.shape[0])", "x.shape[0]"])
def test_a_model_whose_forward_fixes_the_number_of_images_is_told_what_to_do(count, chosen, tmp_path, monkeypatch):
    import torch

    from fmnist.predict import prediction

    names: dict[str, Any] = {"Module": torch.nn.Linear}
    exec(
        f"class Own(Module):\n    def forward(self, x):\n        return super().forward(x.reshape({count}, 784))", names
    )
    monkeypatch.setattr(prediction, "load_model", lambda *_: names["Own"](784, 10).eval())
    only = Chosen(chosen.library, chosen.runs[:1], chosen.load)
    if count == "x.shape[0]":
        assert "the same class for 100 of 100" in write("onnx", only, tmp_path)[0]
        return
    with pytest.raises(ExportError, match=r"use x\.shape\[0\] as it is") as refused:
        write("onnx", only, tmp_path)
    assert is_one_sentence(refused.value) and "Model 0, seed 0" in str(refused.value)
