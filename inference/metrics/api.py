"""What every metric is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from datagen.evalset import EvalEntry
from datagen.metadata import SampleMetadata
from datagen.quadmask import MaskLayers


class Direction(StrEnum):
    """Which way is better."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One figure of a report."""

    name: str  # as in scores.csv, e.g. "psnr_keep"
    group: str  # "appearance", "physics_iq", "trajectory", "laws", "events", "removal", "margin"
    title: str  # as in a table's head
    unit: str  # "" for none
    direction: Direction
    low: float  # range; infinities where it has no end
    high: float
    definition: str  # one line
    source: str  # paper or formula it follows; "" for our own


@dataclass(frozen=True, kw_only=True)
class Case:
    """One clip of an eval set, decoded: everything that a prediction is held against.

    Videos uint8 [num_frames, height, width, 3] sRGB; masks [num_frames, height, width].
    """

    entry: EvalEntry
    metadata: SampleMetadata
    input: np.ndarray  # factual
    truth: np.ndarray  # counterfactual
    hidden: np.ndarray  # factual motion, removed objects hidden
    perturbed: tuple[np.ndarray, ...]  # counterfactuals from other starts, without the one that is a row of the table
    quadmask: np.ndarray  # uint8, policy of the eval set
    layers: MaskLayers
    ids_factual: np.ndarray  # uint16, object ids at pixel centres
    ids_counterfactual: np.ndarray  # uint16
    physics: Mapping[str, np.ndarray]  # arrays of physics.npz, see `datagen.sample.physics_arrays`


@dataclass(frozen=True, kw_only=True)
class Track:
    """Where an object went, for plots; pixels (right, down), nan where it was not found."""

    name: str
    prediction_px: np.ndarray  # [num_frames, 2]
    truth_px: np.ndarray  # [num_frames, 2]
    hidden_px: np.ndarray  # [num_frames, 2], the course that was filmed
    perturbed_px: np.ndarray  # [K, num_frames, 2], by projection of the stored poses


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a group found out about one prediction."""

    values: Mapping[str, float]  # by metric name; nan where it does not apply
    notes: Mapping[str, str] = field(default_factory=dict)  # why a value is missing, by metric name
    tracks: tuple[Track, ...] = ()
