"""What several metrics need of a clip, worked out once and kept as long as the clip is."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

import numpy as np

from inference.metrics.api import Case

Result = TypeVar("Result")


def per_case(function: Callable[[Case], Result]) -> Callable[[Case], Result]:
    """Remember what a function says of a clip until that clip is gone; several predictions are held against it."""
    known: dict[int, Result] = {}

    @wraps(function)
    def remembered(case: Case) -> Result:
        key = id(case)
        if key not in known:
            known[key] = function(case)
            weakref.finalize(case, known.pop, key, None)
        return known[key]

    return remembered


def object_id(case: Case, name: str) -> int:
    """Value of an object in the id arrays; 0, which is no object, for an unknown name."""
    found = np.flatnonzero(case.physics["object_names"] == name)
    return int(case.physics["object_ids"][found[0]]) if len(found) else 0


@per_case
def affected_ids(case: Case) -> tuple[int, ...]:
    """Ids of the objects that move differently in the two worlds."""
    return tuple(number for number in (object_id(case, name) for name in case.entry.affected) if number)


def squared_difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Sum over channels of squared differences, float32 [..., height, width] [levels^2], of uint8 pictures."""
    difference = first.astype(np.float32) - second
    return np.asarray(np.einsum("...c,...c->...", difference, difference))
