"""How kernels/ ships: see pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import minimax_kernels
import minimax_opt.ops

KERNELS = Path(minimax_kernels.__file__).parents[1]


def test_the_source_folder_is_no_package():
    """A top-level module `kernels` would shadow another project's package, which transformers imports when it finds it."""
    assert KERNELS.name == "kernels"
    assert not (KERNELS / "__init__.py").exists()


def test_the_operations_need_torch_only():
    code = (
        f"import sys; sys.path.insert(0, {str(KERNELS)!r}); import minimax_kernels; "
        "sys.exit(any(m.split('.')[0] in ('minimax_opt', 'scipy', 'triton') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-I", "-c", code], check=False).returncode == 0


def test_every_operation_is_public_in_minimax_opt():
    assert minimax_opt.ops.__all__ == minimax_kernels.__all__
    for name in minimax_kernels.__all__:
        assert getattr(minimax_opt.ops, name) is getattr(minimax_kernels, name)
