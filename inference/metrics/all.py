"""All groups of metrics, in the order of a report's columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from inference.metrics import appearance, events, laws, margin, physics_iq, removal, trajectory
from inference.metrics.api import Case, Measured, Metric


@dataclass(frozen=True, kw_only=True)
class Group:
    """Metrics that are measured together."""

    name: str
    metrics: tuple[Metric, ...]
    measure: Callable[[Case, np.ndarray], Measured]


GROUPS: tuple[Group, ...] = tuple(
    Group(name=name, metrics=module.METRICS, measure=module.measure)
    for name, module in (
        ("appearance", appearance),
        ("physics_iq", physics_iq),
        ("trajectory", trajectory),
        ("laws", laws),
        ("events", events),
        ("removal", removal),
        ("margin", margin),
    )
)
METRICS: tuple[Metric, ...] = tuple(metric for group in GROUPS for metric in group.metrics)
