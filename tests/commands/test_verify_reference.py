"""The reference runs are what they say, on any processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from fmnist import __main__ as cli
from fmnist import settings


def test_the_reference_runs_agree(real_data, tmp_path, capsys):
    assert cli.main(["verify", "--json", "--runs", str(tmp_path)]) == 0
    verdicts = json.loads(capsys.readouterr().out)
    assert [verdict["run"] for verdict in verdicts] == [f"reference-{id}" for id in range(1, 16)]
    for verdict in verdicts:
        # 225 training and 3 test points, weights, logits, three epochs' predictions, and the figures.
        assert verdict["sealed"] > 225 + 3 + 5 + 20
        assert all("rounding" in remark for remark in verdict["remarks"])


def test_the_reference_runs_agree_on_an_older_processor(real_data, tmp_path):
    """Other instructions add up in another order: torch and oneDNN can be told to leave out the newer ones."""
    older = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}
    command = [sys.executable, "-m", "fmnist", "verify", "reference-15", "reference-1", "--runs", str(tmp_path)]
    answer = subprocess.run(command, cwd=settings.PROJECT, env=os.environ | older, capture_output=True, text=True)
    assert answer.returncode == 0 and answer.stdout.count(": agrees (") == 2, answer.stdout + answer.stderr
