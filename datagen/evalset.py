"""An eval set: what a model is given, the physics that it is judged by, and a manifest of both.

EVALSET/
  manifest.json                   EvalManifest: what is in it, of what, under which licence, sha256 of every file
  <key>/                          what a model may see
    input_video.mp4  quadmask_0.mp4  prompt.json
  ground_truth/<key>/             what it is judged by
    rgb_removed.mp4               the counterfactual
    hidden.mp4                    factual motion with the removed objects hidden: inpainting without physics
    perturbed_<k>.mp4             the counterfactual from a start within measurement noise; 0 is a row of every
                                  table, the others are the physical variance
    layers.npz physics.npz segmentation.npz metadata.json    as in a sample
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EVAL_FORMAT_VERSION = 1
EVAL_MANIFEST = "manifest.json"
GROUND_TRUTH = "ground_truth"

INPUT_VIDEO = "input_video.mp4"
QUADMASK = "quadmask_0.mp4"
PROMPT = "prompt.json"
TRUTH = "rgb_removed.mp4"
HIDDEN = "hidden.mp4"
INPUTS = (INPUT_VIDEO, QUADMASK, PROMPT)


def perturbed_name(index: int) -> str:
    """File of a perturbed counterfactual, as rendered."""
    return f"perturbed_{index}.mp4"


@dataclass(frozen=True, kw_only=True)
class EvalEntry:
    """One clip of an eval set."""

    key: str
    source: str  # "humoto" or "kubric"
    family: str  # HUMOTO's sequence or Kubric's scene family
    affected: tuple[str, ...]  # names of the objects that move differently
    labels: tuple[str, ...]  # of the certificate: "null_effect", "chaotic"
    num_frames: int
    fps: float
    width: int
    height: int
    num_perturbed: int  # perturbed counterfactuals that were rendered
    hidden: bool = False  # whether there is a hidden.mp4
    segmentation: bool = False  # whether there is a segmentation.npz
    licence: str = ""  # its name; the manifest's licences tell more


@dataclass(frozen=True, kw_only=True)
class EvalManifest:
    """manifest.json; equal runs give equal bytes, so it holds no clock."""

    format_version: int
    name: str
    entries: tuple[EvalEntry, ...]  # sorted by key
    origins: tuple[dict[str, Any], ...]  # of each run: source, data set, split, configuration's sha256, versions
    licences: dict[str, str]  # note by name
    files: dict[str, str]  # sha256 of every other file, by path relative to the set


@dataclass(frozen=True, kw_only=True)
class EvalItem:
    """Where the files of one clip lie."""

    root: Path
    entry: EvalEntry

    @property
    def inputs(self) -> Path:
        """Folder of what a model may see."""
        return self.root / self.entry.key

    @property
    def truth(self) -> Path:
        """Folder of what it is judged by."""
        return self.root / GROUND_TRUTH / self.entry.key

    @property
    def hidden(self) -> Path | None:
        """Video of inpainting without physics, where it was rendered."""
        return self.truth / HIDDEN if self.entry.hidden else None

    def perturbed(self) -> Iterator[Path]:
        """Rendered perturbed counterfactuals, in order."""
        return (self.truth / perturbed_name(index) for index in range(self.entry.num_perturbed))
