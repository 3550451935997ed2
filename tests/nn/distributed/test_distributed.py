"""Several processes on this machine, one launch a world size; what they found is judged here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("world", [2, 4])
def test_all_cases(world, tmp_path, subtests):
    path = os.pathsep.join(str(ROOT / folder) for folder in (".", "kernels", "tests"))
    command = [sys.executable, "-m", "nn.distributed.launch", str(world), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    launch = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=600, check=False)
    found = [json.loads(file.read_text()) for file in sorted(tmp_path.glob("rank*.json"))]
    for rank, cases in enumerate(found):
        for name, claims in cases.items():
            with subtests.test(f"rank {rank}: {name}"):
                assert "exception" not in claims, claims["exception"]
                for claim, value in claims.items():
                    if isinstance(value, list):
                        assert value[0] <= value[1], f"{claim}: {value[0]:.2e} > {value[1]:.0e}"
                    elif claim != "seconds":
                        assert value is True, claim
    assert launch.returncode == 0, launch.stderr[-3000:]
    assert len(found) == world
    assert len({tuple(cases) for cases in found}) == 1
    assert len(found[0]) > 30
