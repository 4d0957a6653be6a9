"""What pages draw stays without PyTorch until somebody predicts: the server shows results without it."""

from __future__ import annotations

import subprocess
import sys

from helpers.ui import PROJECT


def test_nothing_that_pages_draw_imports_torch():
    code = (
        "import importlib, pkgutil, sys, fmnist.ui\n"
        "for module in pkgutil.iter_modules(fmnist.ui.__path__, 'fmnist.ui.'):\n"
        "    importlib.import_module(module.name)\n"
        "print(*sys.modules)"
    )
    imported = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert {"torch", "torchvision"} & set(imported.stdout.split()) == set()
    assert {"fmnist.ui.page", "fmnist.ui.scope"} <= set(imported.stdout.split())
