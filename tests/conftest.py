"""One BLAS thread a worker, and hypothesis without surprises: the suite runs on shared machines."""

import os
import signal

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # so starts a suite in the background; some tests send Ctrl-C to themselves
    signal.signal(signal.SIGINT, signal.default_int_handler)

import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
