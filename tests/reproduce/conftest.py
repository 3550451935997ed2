import pytest

from minimax_opt.reproduce.run import Job
from minimax_opt.reproduce.store import origin


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path, origin(quick=True, seed=0), figures=False)
