"""The layers behind a quadmask, from what was rendered and what moved.

Ids tell where moved objects are seen; the picture in little, rendered with one seed in F, H and C, tells where
light changed (`light_change`), and where it cannot tell for H and C, a finer one does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from datagen.camera import Lens, in_camera, lens_of
from datagen.errors import DataError
from datagen.light_change import DARK_SHARE, change_of_light, contested, fine_change, undecided
from datagen.placement import Blur, Staging
from datagen.quadmask import MaskLayers, Policy
from datagen.regions import bounding_box, grown, near_squared, spill
from datagen.spec import SceneSpec, World
from datagen.trajectory import Trajectory, place

MIN_MOVE_M = 0.001
MIN_MOVE_PX = 0.25
NEAREST_DEPTH_M = 0.1
OPTIONAL_LAYERS = ("moved_hidden", "moved_counterfactual", "fine_hidden", "fine_counterfactual")


@dataclass(frozen=True, kw_only=True)
class RenderedLayers:
    """What a render says about a clip.

    removed_coverage    [num_frames, height, width], share of the pixel that shows a removed object in F, in any unit
    ids_hidden          integers [num_frames, height, width], object at the pixel's centre in H; 0 is the room
    ids_counterfactual  likewise in C
    light_*             float32 [num_frames, h, w], luminance of F, H, C by few samples; may be smaller
    moved_*             like removed_coverage, of objects that are elsewhere in the other world, in H and C; without
                        these, silhouettes are those of the ids, a pixel wider
    fine_*              luminance float32 [num_frames, height, width] of H and C by more samples and bounces, where
                        light_* cannot tell whether they differ (`undecided_light`); 0 elsewhere
    """

    removed_coverage: np.ndarray
    ids_hidden: np.ndarray
    ids_counterfactual: np.ndarray
    light_factual: np.ndarray
    light_hidden: np.ndarray
    light_counterfactual: np.ndarray
    moved_hidden: np.ndarray | None = None
    moved_counterfactual: np.ndarray | None = None
    fine_hidden: np.ndarray | None = None
    fine_counterfactual: np.ndarray | None = None

    def __post_init__(self) -> None:
        full, light = self.removed_coverage.shape, self.light_factual.shape
        for name, expected in (
            ("removed_coverage", full),
            ("ids_hidden", full),
            ("ids_counterfactual", full),
            ("light_factual", light),
            ("light_hidden", light),
            ("light_counterfactual", light),
        ):
            _check_layer(name, getattr(self, name), expected, full[0] if full else 0)
        for name in OPTIONAL_LAYERS:
            if (layer := getattr(self, name)) is not None:
                _check_layer(name, layer, full, full[0])


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a camera sees of a scene at a time.

    ids: integers [height, width], 0 is the room; what is removed is left out. removed: bool [height, width], where
    that is seen. light: luminance float32 [h, w].
    """

    ids: np.ndarray
    removed: np.ndarray
    light: np.ndarray


def _check_layer(name: str, layer: np.ndarray, expected: tuple[int, ...], num_frames: int) -> None:
    """Raise `DataError` for a layer of another shape or length."""
    if layer.shape != expected or len(expected) != 3 or len(layer) != num_frames:
        raise DataError(f"layer '{name}': expected [{num_frames}, height, width] like {expected}, found {layer.shape}")


def _picture(rendered: RenderedLayers, name: str, frame: int) -> np.ndarray:
    """One frame of a layer; raises `DataError` for values that are no numbers, or below 0."""
    picture = np.asarray(getattr(rendered, name)[frame])
    if picture.dtype.kind == "u" or not picture.size:
        return picture
    least, most = picture.min(), picture.max()  # one that is no number makes both of them none
    if not np.isfinite([least, most]).all():
        raise DataError(f"layer '{name}': frame {frame} holds values that are no numbers; render the scene again")
    if least < 0:
        raise DataError(f"layer '{name}': frame {frame} holds {least:g}; expected values of 0 or more")
    return picture


def derive_layers(
    rendered: RenderedLayers, moved: np.ndarray, edge_px: int = 1, blur_px: Sequence[Blur] = ()
) -> MaskLayers:
    """The evidence for one clip.

    moved: bool [num_frames, max id + 1]; whether the object of that id is elsewhere in the other world. 0 (the room) is
    not. edge_px: ids are sampled at pixel centres, but a picture's pixel also shows what lies beside its centre: moved
    objects are grown by this much, so that no part of their silhouette is left in KEEP. blur_px: [num_frames], how far
    beyond sharp outlines the picture shows things and shadows (`Staging.blur_px`); every layer is as much wider.
    """
    num_frames = len(rendered.removed_coverage)
    if moved.dtype != np.bool_ or moved.ndim != 2 or len(moved) != num_frames:
        raise DataError(f"moved flags: expected bool [{num_frames}, ids], found {moved.dtype} {moved.shape}")
    dark = dark_of(rendered)
    stacks = {field.name: np.empty(rendered.removed_coverage.shape, dtype=bool) for field in fields(MaskLayers)}
    for frame in range(num_frames):
        layers = _derive_frame(rendered, moved, frame, edge_px, dark)
        if blur_px:
            layers = _blurred(layers, blur_px[frame])
        for stack, layer in zip(stacks.values(), layers, strict=True):
            stack[frame] = layer
    return MaskLayers(**stacks)


def _derive_frame(
    rendered: RenderedLayers, moved: np.ndarray, frame: int, edge_px: int, dark: float
) -> tuple[np.ndarray, ...]:
    """The five layers of one frame, in the order of `MaskLayers`."""
    names = [field.name for field in fields(rendered) if getattr(rendered, field.name) is not None]
    seen = {name: _picture(rendered, name, frame) for name in names}
    removed = seen["removed_coverage"] > 0
    before, after = _moved_surfaces(seen, moved, frame, edge_px)
    moving = before | after
    coarse = seen["light_hidden"], seen["light_counterfactual"]
    if "fine_hidden" in seen and "fine_counterfactual" in seen:
        lit = fine_change(coarse, (seen["fine_hidden"], seen["fine_counterfactual"]), moving, dark)
    else:
        lit = change_of_light(*coarse, moving, dark)
    own = change_of_light(seen["light_factual"], seen["light_hidden"], removed | moving, dark)
    return removed, before, after, lit, own


def _moved_surfaces(
    seen: Mapping[str, np.ndarray], moved: np.ndarray, frame: int, edge_px: int
) -> tuple[np.ndarray, np.ndarray]:
    """`moved_before` and `moved_after` of one frame, bool [height, width], by its layers of ids and silhouettes."""
    before, after = _surfaces_apart(
        _as_ids(seen["ids_hidden"], moved, "ids_hidden", frame),
        _as_ids(seen["ids_counterfactual"], moved, "ids_counterfactual", frame),
        moved[frame],
    )
    if "moved_hidden" not in seen:
        before, after = grown(before, edge_px), grown(after, edge_px)
    if "moved_hidden" in seen and "moved_counterfactual" in seen:
        before = before | (seen["moved_hidden"] > 0)
        after = after | (seen["moved_counterfactual"] > 0)
    return before, after


def undecided_light(rendered: RenderedLayers, moved: np.ndarray) -> np.ndarray:
    """Where only finer light of H and C tells whether they differ, bool [num_frames, height, width].

    rendered: with silhouettes of what moved; moved: as of `derive_layers`.
    """
    dark = dark_of(rendered)
    names = ("ids_hidden", "ids_counterfactual", "moved_hidden", "moved_counterfactual")
    region = np.empty(rendered.ids_hidden.shape, dtype=bool)
    for frame in range(len(region)):
        seen = {name: _picture(rendered, name, frame) for name in names}
        moving = np.logical_or(*_moved_surfaces(seen, moved, frame, edge_px=0))
        hidden, counterfactual = (_picture(rendered, f"light_{world}", frame) for world in ("hidden", "counterfactual"))
        region[frame] = undecided(hidden, counterfactual, moving, dark)
    return region


def contested_light(rendered: RenderedLayers) -> np.ndarray:
    """Where finer light of H and C by few samples does not tell either, bool [num_frames, height, width]."""
    dark, region = dark_of(rendered), np.empty(rendered.ids_hidden.shape, dtype=bool)
    for frame in range(len(region)):
        hidden, counterfactual = (_picture(rendered, f"fine_{world}", frame) for world in ("hidden", "counterfactual"))
        region[frame] = contested((hidden, counterfactual), dark)
    return region


def _blurred(layers: tuple[np.ndarray, ...], extent: Blur) -> tuple[np.ndarray, ...]:
    """Five layers of a frame, in the order of `MaskLayers`, as a lens or shutter shows them."""
    extents = (extent.removed, extent.moved, extent.moved, extent.light, extent.light)
    removed, before, after, lit, own = (widened(*pair) for pair in zip(layers, extents, strict=True))
    moving = before | after
    return removed, before, after, lit & ~moving, own & ~(removed | moving)


def widened(region: np.ndarray, pixels: float) -> np.ndarray:
    """A region bool [height, width] and all that is at most so many pixels from it; a part counts as a whole one."""
    reach = math.ceil(pixels)
    box = bounding_box(region, reach) if reach else None
    if box is None:
        return region
    wider = np.zeros_like(region)
    wider[box.slices] = near_squared(region[box.slices], reach) <= reach**2
    return wider


def seen_apart(first: Seen, second: Seen, moved: np.ndarray, dark: float, edge_px: int = 1) -> np.ndarray:
    """Where two views of a scene differ, by surfaces or by light, bool [height, width]; moved: bool [max id + 1]."""
    before, after = _surfaces_apart(first.ids, second.ids, moved)
    surfaces = grown(before | after, edge_px) | first.removed | second.removed
    return surfaces | change_of_light(first.light, second.light, surfaces, dark)


def _as_ids(picture: np.ndarray, moved: np.ndarray, name: str, frame: int) -> np.ndarray:
    """Ids without what rendering adds to them; raises `DataError` for one that no object has."""
    ids = picture if picture.dtype.kind == "u" else np.rint(picture)
    if (found := ids.max()) >= moved.shape[1]:
        last = moved.shape[1] - 1
        raise DataError(f"layer '{name}': frame {frame} holds id {found:g}; the scene's ids end at {last}")
    return ids


def _surfaces_apart(hidden: np.ndarray, counterfactual: np.ndarray, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`moved_before` and `moved_after` of one frame by ids at pixels' centres; `moved` is bool [max id + 1]."""
    before = hidden != counterfactual
    after = before.copy()
    for one in np.flatnonzero(moved).tolist():
        before |= hidden == one
        after |= counterfactual == one
    return before, after


def dark_of(rendered: RenderedLayers) -> float:
    """Luminance below which next to no light arrives in this clip."""
    return DARK_SHARE * float(np.percentile(rendered.light_hidden, 99))


def with_spill(layers: MaskLayers, full: np.ndarray, removed: np.ndarray) -> MaskLayers:
    """The layers with the traces that a denoiser left beside what differs, whatever it is, in `own_effects`.

    full, removed: videos uint8 [num_frames, height, width, 3]. The other layers stay what geometry and light say:
    policy "effects" promises that KEEP is equal in both videos, policy "void" does not.
    """
    region = layers.removed | layers.affected(Policy.EFFECTS)
    traces = [spill(*pictures) for pictures in zip(full, removed, region, strict=True)]
    return replace(layers, own_effects=layers.own_effects | np.stack(traces))


def moved_in_scene(
    spec: SceneSpec, worlds: Mapping[World, Trajectory], staging: Staging, corners: Mapping[str, np.ndarray]
) -> np.ndarray:
    """`moved_flags` of a scene; corners: [8, 3] of each object's bounding box, object frame."""
    return moved_flags(
        ids=spec.ids(),
        factual=worlds[World.FACTUAL],
        counterfactual=worlds[World.COUNTERFACTUAL],
        corners=corners,
        lens=lens_of(spec, staging),
        world_from_camera=np.array(staging.world_from_camera),
    )


def moved_flags(
    ids: Mapping[str, int],
    factual: Trajectory,
    counterfactual: Trajectory,
    corners: Mapping[str, np.ndarray],
    lens: Lens,
    world_from_camera: np.ndarray,
) -> np.ndarray:
    """Whether each object is elsewhere in the other world, bool [num_frames, max id + 1], by id.

    corners: [8, 3] of each object's bounding box, object frame; world_from_camera: [num_frames, 7]. Moved is a corner
    that is displaced by more than 1 mm and by more than 0.25 px at its distance, whichever is larger. What is only in
    one world, and people (who are played back), have no displacement: False.
    """
    flags = np.zeros((factual.num_frames, max(ids.values(), default=0) + 1), dtype=bool)
    for name in sorted(set(factual.names) & set(counterfactual.names) & set(ids)):
        if name not in corners:
            raise DataError(f"no bounding box of '{name}' in the certificate; there are {sorted(corners)}")
        before, after = factual.of(name), counterfactual.of(name)
        first, second = place(before, corners[name]), place(after, corners[name])
        flags[:, ids[name]] = _displaced(first, second, lens, world_from_camera)
    return flags


def _displaced(first: np.ndarray, second: np.ndarray, lens: Lens, world_from_camera: np.ndarray) -> np.ndarray:
    """Frames in which any of the points [num_frames, 8, 3] is displaced enough to be seen, bool [num_frames]."""
    depth = -np.maximum(in_camera(first, world_from_camera), in_camera(second, world_from_camera))[..., 2]
    least_m = np.maximum(MIN_MOVE_M, MIN_MOVE_PX * np.maximum(depth, NEAREST_DEPTH_M) / lens.focal_px)
    return np.asarray((np.linalg.norm(first - second, axis=-1) > least_m).any(axis=-1))
