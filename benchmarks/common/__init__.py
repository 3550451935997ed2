"""What the benchmarks share: results that can be continued, CPU time and memory, the machine's name, statistics.

Importing this package holds BLAS at one thread: the number is read once, when NumPy is first imported.
"""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_variable] = "1"
