"""Which implementation runs, and what is said when one cannot."""

from __future__ import annotations

import pytest
import torch

from minimax_kernels import backend as module
from minimax_kernels.backend import resolve

X = torch.zeros(2)


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    monkeypatch.delenv("MINIMAX_OPT_BACKEND", raising=False)
    monkeypatch.setenv("TRITON_INTERPRET", "0")


def test_auto_on_a_cpu_is_native_where_it_is_built_and_offered(monkeypatch):
    assert resolve("auto", X) == "torch"
    monkeypatch.setattr(module, "native_ops", lambda: object())
    assert resolve("auto", X, ("triton", "torch", "native")) == "native"
    assert resolve("auto", X, ("triton", "torch")) == "torch"
    monkeypatch.setattr(module, "native_ops", lambda: None)
    assert resolve("auto", X, ("triton", "torch", "native")) == "torch"


def test_a_named_backend_is_used_or_refused(monkeypatch):
    assert resolve("torch", X) == "torch"
    with pytest.raises(ValueError, match=r"`backend` must be one of 'auto'.*got 'cuda'"):
        resolve("cuda", X)
    with pytest.raises(ValueError, match="the tensor is on cpu, Triton runs on CUDA"):
        resolve("triton", X)
    with pytest.raises(ValueError, match="this op has triton and torch only"):
        resolve("native", X)
    monkeypatch.setattr(module, "native_ops", lambda: None)
    with pytest.raises(ValueError, match="the C module was not built"):
        resolve("native", X, ("torch", "native"))
    monkeypatch.setattr(module, "has_triton", lambda: False)
    with pytest.raises(ValueError, match="pip install triton"):
        resolve("triton", X)


def test_the_interpreter_takes_tensors_on_the_cpu(monkeypatch):
    monkeypatch.setattr(module, "has_triton", lambda: True)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert resolve("triton", X) == "triton"
    assert resolve("auto", X) == "torch"


def test_the_environment_names_a_preference(monkeypatch):
    monkeypatch.setattr(module, "native_ops", lambda: object())
    offers = ("triton", "torch", "native")
    monkeypatch.setenv("MINIMAX_OPT_BACKEND", "torch")
    assert resolve("auto", X, offers) == "torch"
    assert resolve("native", X, offers) == "native", "the argument wins"
    monkeypatch.setenv("MINIMAX_OPT_BACKEND", "triton")
    assert resolve("auto", X, offers) == "native", "Triton cannot run on this tensor"
    monkeypatch.setenv("MINIMAX_OPT_BACKEND", "cude")
    with pytest.raises(ValueError, match=r"MINIMAX_OPT_BACKEND must be one of.*got 'cude'"):
        resolve("auto", X)


def test_the_c_module_can_be_turned_off(monkeypatch):
    monkeypatch.setenv("MINIMAX_OPT_NATIVE", "0")
    assert module.native_ops.__wrapped__() is None
