from __future__ import annotations

import numpy as np
import pytest

pd = pytest.importorskip("pandas", reason="tables are read by pandas, extra `tabular`")


@pytest.fixture
def people():
    """90 people in three regions whose wages follow other laws; with missing entries, text, a date and a row number."""
    rng = np.random.default_rng(7)
    n = 90
    region = np.array(["north", "south", "east"])[np.arange(n) % 3]
    age = rng.integers(20, 60, n).astype(float)
    slope = np.select([region == "north", region == "south"], [0.3, -0.1], 0.2)
    frame = pd.DataFrame(
        {
            "row": np.arange(1, n + 1),
            "name": [f"person {i}" for i in range(n)],
            "age": age,
            "city": rng.choice(["Rome", "Paris", "Bonn"], n),
            "smoker": rng.random(n) < 0.4,
            "born": pd.date_range("1970-01-01", periods=n).astype(str),
            "planet": "Earth",
            "region": region,
            "wage": 10.0 + slope * (age - 40.0) + rng.normal(0.0, 1.0, n),
        }
    )
    frame.loc[[3, 11], "age"] = np.nan
    frame.loc[[5, 6, 7], "city"] = None
    frame["rich"] = np.where(frame["wage"] > 10.0, "yes", "no")
    frame["level"] = np.array(["low", "middle", "high"])[np.digitize(frame["wage"], [9.0, 11.0])]
    frame["visits"] = rng.poisson(np.exp(frame["wage"] / 10.0))
    return frame


@pytest.fixture
def features():
    return ["age", "city", "smoker"]
