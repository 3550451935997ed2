"""Every kernel compiles for GPUs that are not there, into machine code without spills and with the instructions that make it fast."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from compile_ahead import shortcomings

from minimax_kernels.backend import has_triton

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FAMILIES = sorted(path.stem for path in (HERE / "compilations").glob("*.py") if path.stem != "__init__")

pytestmark = pytest.mark.skipif(not has_triton(), reason="Triton is not installed")


def compiled(module: str, cache: Path) -> list[dict]:
    """What compile_ahead.py finds, in a process where Triton does not emulate."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(cache)
    above = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    environment["PYTHONPATH"] = os.pathsep.join([*above, *map(str, (HERE, HERE.parent, ROOT, ROOT / "kernels"))])
    run = subprocess.run(
        [sys.executable, str(HERE.parent / "compile_ahead.py"), module],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_compile_without_spills_into_what_they_expect(family, tmp_path):
    found = compiled(f"compilations.{family}", tmp_path)
    wrong = [f"{each['name']} on sm_{each['architecture']} {what}" for each in found for what in shortcomings(each)]
    assert found
    assert not wrong, "\n".join(wrong)


def test_the_check_refuses_what_is_defective(tmp_path):
    found = {(each["name"], each["architecture"]): "; ".join(shortcomings(each)) for each in compiled("defective", tmp_path)}
    for architecture in (80, 90):
        assert "spills: " in found["spills", architecture]
        assert found["scalar loads", architecture] == "has no vector loads"
        assert found["scalar pointer", architecture] == "has no vector loads"
        assert found["no tensor cores", architecture] == "has no tensor cores"
        assert "bytes of shared memory" in found["too much shared memory", architecture]
        assert "nowhere" in found["does not compile", architecture]
