"""A run as a page that opens from disk: every sample's videos in step, masks, physics, certificate; and what has none.

OUT.html
OUT_files/<key>/
  views.mp4           both worlds, the mask and its layers as tiles of one video (datagen.web.tiles)
  clip.js             a record `Clip`, loaded when the sample is opened
  filmed.jpg without.jpg    stills for the list

A sample's folder is made once; it is made again when the sample has changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from datagen import cluster
from datagen.codec import atomic_folder, read_npz, remove_tree, sha256_file
from datagen.errors import DataError, SpecError, UserError
from datagen.gallery import OVERLAY
from datagen.gallery_physics import certificate_table, objects_table, plot_groups
from datagen.mask_layers import read_layers
from datagen.metadata import SampleMetadata
from datagen.physics.records import NULL_EFFECT
from datagen.quadmask import Label, MaskLayers
from datagen.runs import RunFolder, read_rows
from datagen.sample import LAYERS, MASK, METADATA, PHYSICS, RGB_FULL, RGB_REMOVED, read_sample
from datagen.spec import SceneSpec
from datagen.video import iterate_rgb
from datagen.web.page import CLIP_SCRIPT, is_current, own_folders, write_clip, write_page
from datagen.web.records import Clip, Entry, Overlay, PageHead, Pane, Poster, Tone, Variant, Word
from datagen.web.tiles import write_poster, write_tiles

FORMAT = 2  # of what is beside the page; another one makes all of it again
FACETS = ("source", "family", "object", "effect", "verdict", "label")
MAX_DETAIL = 600  # letters of one detail, of its end: logs end with the reason
REJECTED, FAILED, BROKEN = "Rejected", "Failed", "Broken"
VIEWS, FILMED, WITHOUT, MASK_VIEW, LABELLED = "views.mp4", "filmed", "without", "mask", "labelled"
LAYER_COLORS = {
    "removed": ("#e62828", "pixels of what is removed, as filmed"),
    "moved_before": ("#e6a800", "surfaces that move or are elsewhere without it, where they were"),
    "moved_after": ("#28be46", "the same, where they are without it"),
    "lit_by_moved": ("#00b4dc", "surfaces whose light changes because something moved"),
    "own_effects": ("#dc5adc", "shadow, light and reflection of what is removed; and traces that a denoiser spread"),
}


@dataclass(frozen=True, kw_only=True)
class GalleryTask:
    """A sample, and where its part of the page goes."""

    sample: Path
    folder: Path


@dataclass(frozen=True, kw_only=True)
class GalleryReport:
    """What a gallery shows."""

    page: Path
    samples: int
    rejected: int
    failed: int
    broken: tuple[str, ...]  # why samples could not be shown


def write_gallery(root: Path, out: Path, workers: int = 1) -> GalleryReport:
    """Make the page `out` of a run, and the folder beside it.

    A sample that cannot be read stands on the page with the reason, and the others are shown. Raises `RunFolderError`
    for a folder that is no run, and `UserError` for one in which nothing has happened yet.
    """
    run = RunFolder(root=root)
    info = run.info()
    samples, rejected, failed = run.sample_paths(), read_rows(run.rejected), read_rows(run.failures)
    if not samples and not rejected and not failed:
        raise UserError(f"{root}: nothing to show yet; make samples with `datagen render {root}` and `datagen compose`")
    if out.suffix.lower() not in (".html", ".htm") or out.is_dir():
        raise UserError(f"--out {out}: expected the name of a page, e.g. {out.with_suffix('.html').name}")
    folders = own_folders(out, [path.name for path in samples])
    clips = _make_clips([GalleryTask(sample=path, folder=folders[path.name]) for path in samples], workers)
    others = [_ended(run, row, REJECTED) for row in rejected] + [_ended(run, row, FAILED) for row in failed]
    entries = sorted(clips, key=lambda entry: entry.key) + others
    settings = info.config
    head = PageHead(
        title=f"{root.resolve().name}",
        lead="Pairs of the same scene with and without a person or an object, physics run again.",
        facts=(
            ("samples", str(sum(entry.kind == "clip" for entry in entries))),
            ("rejected", str(len(rejected))),
            ("failed", str(len(failed))),
            ("source", info.source),
            ("size", f"{settings.render.width} × {settings.render.height}, {settings.clips.num_frames} frames"),
            ("voidgen", info.versions.get("voidgen", "")),
        ),
    )
    data = {
        "entries": entries,
        "facets": FACETS,
        "clips": "Samples",
        "others": (BROKEN, REJECTED, FAILED),
    }
    write_page(out, head, data, ("gallery.js",))
    broken = tuple(entry.caption for entry in entries if entry.kind == BROKEN)
    made = sum(entry.kind == "clip" for entry in entries)
    return GalleryReport(page=out, samples=made, rejected=len(rejected), failed=len(failed), broken=broken)


def _make_clips(tasks: list[GalleryTask], workers: int) -> list[Entry]:
    """Entries of all samples; PyAV and numpy let go of the interpreter's lock, so threads will do."""
    with cluster.interruptible() as interrupt:
        entries = list(cluster.map_tasks(make_entry, tasks, backend="off", workers=workers, interrupt=interrupt))
        if interrupt.stopping:
            raise KeyboardInterrupt
    return entries


def make_entry(task: GalleryTask) -> Entry:
    """A sample's card, its folder made if it has to be; a sample that cannot be read is a line with the reason."""
    try:
        metadata = read_sample(task.sample).metadata
        digest = f"{FORMAT} {sha256_file(task.sample / METADATA)}"
        if not is_current(task.folder / CLIP_SCRIPT, digest):
            remove_tree(task.folder)
            with atomic_folder(task.folder) as partial:
                _fill_folder(task.sample, metadata, partial, digest)
    except DataError as error:
        chips = (Word(text="broken", tone=Tone.BAD),)
        return Entry(
            key=task.sample.name, kind=BROKEN, caption=str(error), chips=chips, facets={"verdict": ("broken",)}
        )
    return _entry(metadata, f"{task.folder.parent.name}/{task.folder.name}")


def _fill_folder(sample: Path, metadata: SampleMetadata, folder: Path, digest: str) -> None:
    """Video, stills and script of one sample."""
    layers = read_layers(sample / LAYERS)
    views: dict[str, Iterator[np.ndarray]] = {
        FILMED: iterate_rgb(sample / RGB_FULL),
        WITHOUT: iterate_rgb(sample / RGB_REMOVED),
        **mask_views(sample / MASK),
    }
    views |= {name: (_matte(frame) for frame in layer) for name, layer in layers.arrays().items()}
    tiles = write_tiles(folder / VIEWS, views, fps=metadata.fps, num_frames=metadata.num_frames)
    frame = poster_frame(layers)
    for name, video in ((FILMED, RGB_FULL), (WITHOUT, RGB_REMOVED)):
        write_poster(folder / f"{name}.jpg", next(islice(iterate_rgb(sample / video), frame, None)))
    physics = read_npz(sample / PHYSICS)
    clip = Clip(
        key=metadata.key,
        caption=metadata.caption,
        facts=_facts(metadata),
        video=tiles,
        overlays=overlays(metadata),
        variants=(Variant(name="sample", panes=_panes(), plots=plot_groups(metadata, physics)),),
        tables=(certificate_table(metadata.certificate), objects_table(metadata)),
    )
    write_clip(folder / CLIP_SCRIPT, clip, digest)


def mask_views(mask: Path) -> dict[str, Iterator[np.ndarray]]:
    """A quadmask's video in colours, and the matte of all that it marks."""
    return {
        MASK_VIEW: (paint_mask(picture[..., 0]) for picture in iterate_rgb(mask)),
        LABELLED: (_matte(picture[..., 0] != Label.KEEP) for picture in iterate_rgb(mask)),
    }


def mask_overlay(policy: str) -> Overlay:
    """The quadmask over a picture."""
    legend = tuple((label.name, "#" + bytes(color).hex()) for label, color in OVERLAY.items())
    title = f"the quadmask, policy {policy}"
    return Overlay(name=MASK_VIEW, view=MASK_VIEW, matte=LABELLED, title=title, legend=legend)


def paint_mask(mask: np.ndarray) -> np.ndarray:
    """A quadmask's frame uint8 [height, width] in colours on black, uint8 [height, width, 3]."""
    painted = np.zeros((*mask.shape, 3), dtype=np.uint8)
    for label, color in OVERLAY.items():
        painted[mask == label] = color
    return painted


def _matte(where: np.ndarray) -> np.ndarray:
    """White where it is true, on black, uint8 [height, width, 3]."""
    return np.asarray(np.repeat(where[..., None], 3, axis=2) * np.uint8(255))


def poster_frame(layers: MaskLayers) -> int:
    """The frame that shows most: in which the largest part of the picture is affected or removed."""
    shown = (layers.removed | layers.affected()).sum(axis=(1, 2))
    return int(shown.argmax())


def overlays(metadata: SampleMetadata) -> tuple[Overlay, ...]:
    """The mask and the layers of evidence behind it."""
    layers = (
        Overlay(name=name.replace("_", " "), view=name, color=color, title=title)
        for name, (color, title) in LAYER_COLORS.items()
    )
    return (mask_overlay(metadata.mask.policy), *layers)


def _panes() -> tuple[Pane, ...]:
    return (
        Pane(title="With", view=FILMED),
        Pane(title="Without", view=WITHOUT),
        Pane(title="Mask", view=FILMED, overlay=MASK_VIEW),
        Pane(title="Difference × 4", view=FILMED, against=WITHOUT),
    )


def _facts(metadata: SampleMetadata) -> tuple[tuple[str, str], ...]:
    """What is told of a sample beside its pictures."""
    removed = ", ".join(f"{thing.name} ({thing.kind})" for thing in metadata.removed)
    keep = metadata.keep_difference[metadata.mask.policy]
    shares = ", ".join(f"{name} {100 * share:.1f} %" for name, share in metadata.mask.share.items())
    never = "never" if metadata.divergence_frame is None else f"frame {metadata.divergence_frame}"
    facts = [
        ("removed", removed),
        ("moves differently", ", ".join(metadata.affected) or "nothing"),
        ("worlds part in", never),
        ("scene", metadata.description),
        (f"mask, policy {metadata.mask.policy}", shares),
        ("effect to be seen", f"in {100 * metadata.effect.visible_frames:.0f} % of the frames"),
        ("KEEP differs by", f"{keep.mean:.2f} of 255 (99.9 %: {keep.p999:.0f})"),
        ("seed", str(metadata.spec.seed)),
        ("licence", metadata.licence.name),
    ]
    return (*facts, *(("warning", warning) for warning in metadata.warnings))


def _entry(metadata: SampleMetadata, folder: str) -> Entry:
    """A finished sample's card."""
    effect = NULL_EFFECT not in metadata.labels
    removed = Counter(thing.category.replace("_", " ") for thing in metadata.removed)
    without = " and ".join(f"{count} × {name}" if count > 1 else name for name, count in removed.items())
    words = [Word(text=f"without {without}")]
    if not metadata.key.startswith(metadata.sequence):  # as HUMOTO's keys do
        words.append(Word(text=metadata.sequence))
    words += [Word(text=label.replace("_", " "), tone=Tone.NOTE) for label in metadata.labels]
    facets = scene_facets(metadata.spec) | {
        "effect": ("effect" if effect else "no effect",),
        "verdict": (metadata.certificate.verdict.value,),
        "label": tuple(label.replace("_", " ") for label in metadata.labels),
    }
    link = quote(folder)
    return Entry(
        key=metadata.key,
        kind="clip",
        caption=metadata.caption,
        chips=tuple(words),
        facets=facets,
        posters=(
            Poster(file=f"{link}/{FILMED}.jpg", alt="with it"),
            Poster(file=f"{link}/{WITHOUT}.jpg", alt="without it"),
        ),
        script=f"{link}/{CLIP_SCRIPT}",
    )


def scene_facets(spec: SceneSpec) -> dict[str, tuple[str, ...]]:
    """What a scene is found by, from its description."""
    people = ("person",) if spec.people else ()
    objects = sorted({thing.category for thing in spec.objects})
    return {"source": (spec.source,), "family": (spec.sequence,), "object": (*objects, *people)}


def _ended(run: RunFolder, row: Mapping[str, Any], kind: str) -> Entry:
    """A scene that was rejected or failed, with its reason and figures."""
    key, details = str(row.get("key", "?")), row.get("details", {})
    try:
        facets = scene_facets(run.spec(key))
    except (DataError, SpecError):
        facets = {}
    verdict = kind.lower()
    stage = str(row.get("stage", "simulate"))
    return Entry(
        key=key,
        kind=kind,
        caption=str(row.get("message", "no reason given")).removeprefix(f"{key}: "),
        chips=(Word(text=verdict, tone=Tone.BAD), Word(text=f"in {stage}")),
        facets={**facets, "verdict": (verdict,)},
        details=tuple(detail_lines(details)),
    )


def detail_lines(details: Mapping[str, Any]) -> Iterator[str]:
    """What a row of rejected.jsonl or failures.jsonl knows beyond its message: failed checks first, then the rest."""
    for check in details.get("measured", ()):
        if not check.get("passed", True):
            value = "-" if check.get("value") is None else f"{check['value']:.4g}"
            yield f"{check['name']}: {value} {check['unit']}, limit {check['limit']:g} {check['unit']} {check['note']}"
    for name, value in details.items():
        if name not in ("measured", "checks"):
            yield f"{name}: {str(value).strip()[-MAX_DETAIL:]}"
