"""How true the masks are: IoU of every layer and label against an oracle, beside the published recipes' masks.

    .venv/bin/python benchmarks/mask_truth.py --work WORK [--source humoto|kubric] [--data DIR] [--scenes 2]
        [--frames 3 | --at 8 10] [--samples 256] [--deep 1024] [--size 240x136] [--visible 0.05] [--set KEY=VALUE]

Samples are made through the command line in WORK/<name>/run (without --data, of the embedded demo data), the oracle in
WORK/<name>/oracle/<key>, once. Lines of text, one JSON line, and a picture of all masks WORK/<name>/<key>.png.

The oracle. For some frames after the worlds part, F (factual), H (its motion, removed objects hidden) and C
(counterfactual) are rendered by `blender_scripts.oracle` with at least 256 samples a pixel and no denoiser: half of
them by one seed in all three worlds, half by another. It shares no code with the mask's own derivation.

    removed        more than a trace of the pixel shows a removed object in F: the share of `samples` samples, under the
                   filter of the picture, that hit one is above 1/255, one level of an 8-bit picture
    moved_before   likewise for objects that are elsewhere in the other world (some vertex is, by more than 1 mm and
    moved_after    0.25 px), in H or in C: where only one of the two shows one, they show different objects, which
                   counts for both layers
    lit_by_moved   (of pictures with `deep` samples where H and C are near the threshold)
                   not moved, and the luminance of linear light differs between H and C: |mean difference of all
                   samples| above `visible` (5 %) of the brighter of the two and above 3 times its standard error, which
                   is taken from how far the differences by the two seeds are apart. 5 % of the light is 3 to 4 levels
                   of 255 of a mid-grey: what the test of KEEP lets pass. Means over those of 3x3 pixels that are not
                   moved
    own_effects    likewise between F and H, on pixels that are neither removed nor moved

Where a threshold falls is a choice, and a penumbra crosses it slowly: rows marked "decided" leave out the pixels whose
label by the oracle changes when both of its thresholds are halved, or multiplied by 1.5.

Recipes, on the pictures that the scene's own settings make (few samples, denoised), as published with VOID:

    humoto recipe  REMOVE: coverage above 1/255, dilated by an ellipse of 2 px; affected: largest channel of
                   |(H/255)^2.2 - (C/255)^2.2| * 255 at least 8
    kubric recipe  REMOVE: the object at the pixel's centre; affected: largest channel of |H - C| of sRGB at least 15
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy import ndimage

from datagen.codec import read_npz
from datagen.jobs import OracleJob
from datagen.mask_layers import read_layers
from datagen.quadmask import Label, MaskLayers, Policy, compose_mask, label_pixels
from datagen.runs import RunFolder
from datagen.sample import LAYERS, read_sample
from datagen.settings import RenderSettings
from datagen.worker import run_engine

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
MIN_COVERAGE = 1 / 255
VISIBLE = 0.05
STANDARD_ERRORS = 3.0
LEEWAYS = (0.5, 1.5)
DARK_SHARE = 0.02  # of the brightest percent of the picture; relative changes below it are of nothing
HUMOTO_LEVELS, HUMOTO_GAMMA, HUMOTO_DILATE_PX = 8, 2.2, 2
KUBRIC_LEVELS = 15
WAYS = ("ours", "humoto recipe", "kubric recipe")
HALVES = ("first half", "second half")  # of the oracle's samples
TO_REACH = {Label.REMOVE: 0.97, Label.AFFECTED: 0.95}
ORACLE_TIMEOUT_S = 6 * 3600.0
COLORS = {Label.REMOVE: (230, 30, 30), Label.OVERLAP: (250, 170, 20), Label.AFFECTED: (40, 190, 60)}


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Masks of one frame by each way, and the layers of the oracle and of the sample; bool or uint8 [height, width]."""

    frame: int
    layers: dict[str, tuple[np.ndarray, np.ndarray]]  # name -> oracle, ours
    masks: dict[tuple[str, Policy], np.ndarray]  # by way ("oracle", one of `WAYS` or of `HALVES`) and policy
    decided: dict[Policy, np.ndarray]
    pictures: tuple[np.ndarray, ...]


def oracle_layers(
    found: dict[str, np.ndarray], visible: float = VISIBLE, leeway: float = 1.0, seeds: tuple[int, int] = (0, 1)
) -> MaskLayers:
    """The five layers of one frame, each bool [1, height, width]; both thresholds are multiplied by `leeway`.

    seeds: the same twice for what half of the samples say about light.
    """
    least = MIN_COVERAGE * leeway
    removed = found["removed"] > least
    moved = np.maximum(found["moved_before"], found["moved_after"]) > least
    lit = changed_light(found, ("deep_hidden", "deep_counterfactual"), moved, visible * leeway, seeds)
    own = changed_light(found, ("light_factual", "light_hidden"), removed | moved, visible * leeway, seeds)
    return MaskLayers(
        removed=removed[None],
        moved_before=moved[None],
        moved_after=moved[None],
        lit_by_moved=lit[None],
        own_effects=own[None],
    )


def changed_light(
    found: dict[str, np.ndarray],
    pictures: tuple[str, str],
    excluded: np.ndarray,
    visible: float,
    seeds: tuple[int, int] = (0, 1),
) -> np.ndarray:
    """Where light visibly differs between two worlds on pixels that are not excluded, bool [height, width]."""
    first, second = (np.stack([found[f"{name}_{seed}"] @ LUMINANCE for seed in seeds]) for name in pictures)
    difference = first - second
    weight = (~excluded).astype(np.float64)
    share = ndimage.uniform_filter(weight, 3)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.divide(
            ndimage.uniform_filter(values * weight, 3), share, out=np.zeros_like(share), where=share > 1e-6
        )

    change = np.abs(mean(difference.mean(axis=0)))
    spread = mean(0.5 * (difference[0] - difference[1])) ** 2
    error = np.sqrt(np.maximum(ndimage.uniform_filter(spread, 5), 0.0))  # the filter rounds below 0
    dark = DARK_SHARE * np.percentile(second, 99)
    brighter = np.maximum(mean(np.maximum(first.mean(axis=0), second.mean(axis=0))), dark)
    return np.asarray((change > visible * brighter) & (change > STANDARD_ERRORS * error) & ~excluded)


def humoto_recipe(found: dict[str, np.ndarray], policy: Policy) -> np.ndarray:
    """The mask of VOID's HUMOTO generator, uint8 [height, width]."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * HUMOTO_DILATE_PX + 1, 2 * HUMOTO_DILATE_PX + 1))
    removed = cv2.dilate((found["cheap_coverage"] > 1 / 255).astype(np.uint8), kernel) > 0
    linear = {
        world: (found[f"cheap_{world}"] / 255.0) ** HUMOTO_GAMMA * 255
        for world in ("factual", "hidden", "counterfactual")
    }

    def differ(first: str, second: str) -> np.ndarray:
        return np.asarray(np.abs(linear[first] - linear[second]).max(axis=-1).astype(np.uint8) >= HUMOTO_LEVELS)

    return _by_difference(removed, differ("hidden", "counterfactual"), differ("factual", "hidden"), policy)


def kubric_recipe(found: dict[str, np.ndarray], policy: Policy) -> np.ndarray:
    """The mask of VOID's Kubric generator, uint8 [height, width]."""

    def differ(first: str, second: str) -> np.ndarray:
        apart = found[f"cheap_{first}"].astype(int) - found[f"cheap_{second}"]
        return np.asarray(np.abs(apart).max(axis=-1) >= KUBRIC_LEVELS)

    removed = found["cheap_removed"]
    return _by_difference(removed, differ("hidden", "counterfactual"), differ("factual", "hidden"), policy)


def _by_difference(removed: np.ndarray, affected: np.ndarray, own: np.ndarray, policy: Policy) -> np.ndarray:
    return label_pixels(removed, affected | (own & ~removed) if policy is Policy.EFFECTS else affected)


def compare_frame(found: dict[str, np.ndarray], ours: MaskLayers, frame: int, visible: float) -> Compared:
    """One frame by every way; `ours` holds the whole clip."""
    oracle = oracle_layers(found, visible)
    here = MaskLayers(**{name: layer[frame : frame + 1] for name, layer in ours.arrays().items()})
    others = [oracle_layers(found, visible, leeway) for leeway in LEEWAYS]
    masks: dict[tuple[str, Policy], np.ndarray] = {}
    decided: dict[Policy, np.ndarray] = {}
    for policy in Policy:
        masks["oracle", policy] = compose_mask(oracle, policy)[0]
        labels = [compose_mask(layers, policy)[0] for layers in others]
        decided[policy] = np.all([one == masks["oracle", policy] for one in labels], axis=0)
        masks["ours", policy] = compose_mask(here, policy)[0]
        for half, way in enumerate(HALVES):
            masks[way, policy] = compose_mask(oracle_layers(found, visible, seeds=(half, half)), policy)[0]
        masks["humoto recipe", policy] = humoto_recipe(found, policy)
        masks["kubric recipe", policy] = kubric_recipe(found, policy)
    return Compared(
        frame=frame,
        layers={name: (layer[0], here.arrays()[name][0]) for name, layer in oracle.arrays().items()},
        masks=masks,
        decided=decided,
        pictures=(found["cheap_factual"], found["cheap_counterfactual"]),
    )


def iou(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float | None:
    """Intersection over union of all pairs of bool arrays together; None where both are empty everywhere."""
    union = sum(int((first | second).sum()) for first, second in pairs)
    return sum(int((first & second).sum()) for first, second in pairs) / union if union else None


def figures(frames: Sequence[Compared]) -> dict[str, dict[str, float | None]]:
    """IoU by layer, and by policy, way and label."""
    result: dict[str, dict[str, float | None]] = {
        "layers": {name: iou([one.layers[name] for one in frames]) for name in frames[0].layers}
    }
    for policy in Policy:
        for way in WAYS:
            result[f"{policy}: {way}"] = label_figures(frames, policy, way)
            result[f"{policy}, decided: {way}"] = label_figures(frames, policy, way, decided=True)
        result[f"{policy}: halves of the oracle"] = label_figures(frames, policy, HALVES[0], truth=HALVES[1])
    return result


def label_figures(
    frames: Sequence[Compared], policy: Policy, way: str, *, decided: bool = False, truth: str = "oracle"
) -> dict[str, float | None]:
    """IoU of each label by one way."""
    parts = [one.decided[policy] if decided else np.ones_like(one.decided[policy]) for one in frames]
    masks = [(one.masks[truth, policy], one.masks[way, policy]) for one in frames]
    return {
        label.name: iou(
            [
                ((first == label) & part, (second == label) & part)
                for (first, second), part in zip(masks, parts, strict=True)
            ]
        )
        for label in Label
    }


def draw_sheet(frames: Sequence[Compared], path: Path) -> None:
    """A row of pictures for each frame and policy: F, C, then each way's mask over C; errors of ours last."""
    rows = []
    for one in frames:
        for policy in Policy:
            masks = [one.masks[way, policy] for way in ("oracle", *WAYS)]
            wrong = np.where((masks[0] != masks[1])[..., None], np.uint8(255), one.pictures[1] // 3)
            rows.append(np.hstack([*one.pictures, *(overlay(one.pictures[1], mask) for mask in masks), wrong]))
    sheet = np.vstack(rows)
    Image.fromarray(sheet).save(path)


def overlay(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A mask's labels over a greyed picture, uint8 [height, width, 3]."""
    result = np.repeat(picture.mean(axis=-1, keepdims=True), 3, axis=-1) * 0.6
    for label, color in COLORS.items():
        result[mask == label] = 0.35 * result[mask == label] + 0.65 * np.array(color)
    return result.astype(np.uint8)


def make_run(root: Path, options: argparse.Namespace) -> RunFolder:
    """Samples to look at, through the command line; their physics is kept."""
    width, height = options.size.split("x")
    command = [sys.executable, "-m", "datagen.cli"]
    if options.source == "humoto" and options.data is None:
        options.data = root.parent.parent / "demo-data"
        subprocess.run([*command, "demo-data", str(options.data), "--if-missing"], check=True)
    source = ["humoto", "--data", str(options.data)] if options.source == "humoto" else ["kubric"]
    source += ["--gso", str(options.data)] if options.source == "kubric" and options.data else []
    source += ["--hdri", str(options.hdri)] if options.source == "kubric" and options.hdri else []
    settings = [f"render.width={width}", f"render.height={height}", "humoto.split=all", "camera.pace=static"]
    settings += [
        f"render.fine_light_samples={RenderSettings().fine_light_samples}",
        *options.overrides,
    ]  # not half
    arguments = [part for value in settings for part in ("--set", value)]
    run = ["run", *source, "--out", str(root), "--config", "preview", "--limit", str(options.scenes), *arguments]
    subprocess.run([*command, *run, "--ray", "off", "--workers", "1"], check=True)
    return RunFolder(root=root)


def chosen_frames(divergence: int | None, num_frames: int, count: int) -> tuple[int, ...]:
    """Frames spread over the part of the clip in which the worlds differ."""
    first = min((divergence or 0) + 1, num_frames - 1)
    return tuple(sorted({int(frame) for frame in np.linspace(first, num_frames - 1, count + 1)[1:]}))


def compared(run: RunFolder, key: str, folder: Path, options: argparse.Namespace) -> Iterator[Compared]:
    """All frames of a scene; its oracle is made if it is not there."""
    sample = run.folder("compose", key)
    metadata = read_sample(sample).metadata
    frames = tuple(options.at) or chosen_frames(metadata.divergence_frame, metadata.num_frames, options.frames)
    out = folder / f"{key}-{options.samples}-{options.deep}-{'-'.join(map(str, frames))}"
    if not out.is_dir():
        job = OracleJob(
            spec=str(run.simulated_spec_path(key)),
            physics=str(run.folder("simulate", key)),
            frames=frames,
            samples=options.samples,
            threads=options.threads,
            deep_samples=options.deep,
        )
        run_engine("blender_scripts.oracle", job, out, timeout_s=ORACLE_TIMEOUT_S, threads=options.threads)
    ours = read_layers(sample / LAYERS)
    for frame in frames:
        yield compare_frame(read_npz(out / f"{frame:04d}.npz"), ours, frame, options.visible)


def report(title: str, frames: Sequence[Compared]) -> dict[str, dict[str, float | None]]:
    """Print a table, and return its figures."""
    found = figures(frames)
    print(f"{title}: IoU with the oracle, {len(frames)} frames")
    for row, values in found.items():
        shown = "  ".join(f"{name} {'-' if value is None else format(value, '.3f')}" for name, value in values.items())
        print(f"  {row:>32}  {shown}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for samples, oracles and sheets; kept")
    parser.add_argument("--name", default="", help="folder in WORK; default: the source")
    parser.add_argument("--source", choices=("humoto", "kubric"), default="humoto")
    parser.add_argument("--data", type=Path, help="humoto: a folder of sequences; kubric: objects; default: embedded")
    parser.add_argument("--hdri", type=Path, help="kubric: environment maps; default: those of Blender's wheel")
    parser.add_argument("--scenes", type=int, default=2)
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--at", type=int, nargs="*", default=[], help="these frames instead of --frames spread ones")
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--deep", type=int, default=1024, help="samples where H and C are near the threshold")
    parser.add_argument("--size", default="240x136")
    parser.add_argument("--visible", type=float, default=VISIBLE)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    options = parser.parse_args()
    root = options.work / (options.name or options.source)
    root.mkdir(parents=True, exist_ok=True)
    run = make_run(root / "run", options)
    everything: list[Compared] = []
    for sample in run.sample_paths():
        frames = list(compared(run, sample.name, root / "oracle", options))
        report(sample.name, frames)
        draw_sheet(frames, root / f"{sample.name}.png")
        everything += frames
    found = report("all", everything)
    for label, least in TO_REACH.items():
        print(f"{label.name} under void: {found['void: ours'][label.name]} (to reach: at least {least})")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
