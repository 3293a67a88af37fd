"""Many videos through VOID or a baseline: what is done is not done again, and one bad video does not cost the others.

All of pass 1 comes before pass 2, so that one transformer is in memory at a time. Pass 2 follows pass 1's video as it
was written, not as it was in memory: a resumed run gives the same result.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from datagen.errors import DataError, SceneFailed
from datagen.runs import append_row, drop_rows
from datagen.seeding import seed_for
from datagen.video import decode_rgb
from inference.conditioning import check_labels, mirror_in_time, resized, snap_to_labels
from inference.inputs import Clip
from inference.memory import MemoryMode, check_memory, place
from inference.outputs import FORMAT_VERSION, Method, OutputRecord, is_done, make_folder, write_output
from inference.pipeline import NonFiniteError, OnStep, Pass, VoidPipeline
from inference.settings import Settings
from inference.speed import Speed, check_speed, prepare
from inference.windows import latents_of, padded_frames

PASS1_FOLDER = "pass1"  # within --out, when there is a second pass
FAILURES = "failures.jsonl"


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The files that the user brings."""

    base: Path
    pass1: Path
    pass2: Path | None
    fingerprints: tuple[str, ...]  # of pass1, pass2
    untrained: bool


@dataclass(frozen=True, kw_only=True)
class RunJob:
    """What one process does; `weights` or `baseline`."""

    clips: tuple[Clip, ...]
    out: Path
    settings: Settings
    weights: Weights | None
    baseline: str
    memory: MemoryMode
    speed: Speed
    device: str

    @property
    def dtype(self) -> torch.dtype:
        """bf16 on a GPU; a CPU computes in float32."""
        return torch.bfloat16 if torch.device(self.device).type == "cuda" else torch.float32


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One pass over all videos, or a baseline."""

    method: Method
    folder: Path
    number: Pass | None

    def todo(self, clips: tuple[Clip, ...]) -> list[Clip]:
        """Clips that this stage has not made yet."""
        return [clip for clip in clips if not is_done(self.folder, clip.key, self.method)]


class Watcher(Protocol):
    """Who is told how a run goes on."""

    def begin(self, stage: str, videos: int) -> None: ...

    def step(self, key: str, done: int, total: int) -> None: ...

    def finished(self, key: str, seconds: float) -> None: ...

    def failed(self, key: str, reason: str) -> None: ...


def stages_of(job: RunJob) -> list[Stage]:
    """The stages of a job in order; the last one's folder is `out` itself."""
    if job.weights is None:
        method = Method(
            name=f"baseline:{job.baseline}",
            settings={},
            checkpoint="",
            memory="",
            speed="",
            dtype="uint8",
            untrained=False,
        )
        return [Stage(method=method, folder=job.out, number=None)]
    passes = [Pass.ONE] if job.weights.pass2 is None else [Pass.ONE, Pass.TWO]
    return [
        Stage(
            method=Method(
                name=f"pass{int(number)}",
                settings=asdict(job.settings),
                checkpoint="+".join(job.weights.fingerprints[: int(number)]),
                memory=str(job.memory),
                speed=str(job.speed),
                dtype=str(job.dtype).removeprefix("torch."),
                untrained=job.weights.untrained,
            ),
            folder=job.out if number == passes[-1] else job.out / PASS1_FOLDER,
            number=number,
        )
        for number in passes
    ]


def run_clips(job: RunJob, watcher: Watcher) -> None:
    """Make all outputs that are not there yet; videos that cannot be made become rows of failures.jsonl.

    Raises `SceneFailed` at the end if there were any, and `NonFiniteError` at once.
    """
    failed = dict[str, str]()
    texts = dict[str, Tensor]()
    make_folder(job.out)
    drop_rows(job.out / FAILURES, [clip.key for clip in job.clips])
    for stage in stages_of(job):
        todo = [clip for clip in stage.todo(job.clips) if clip.key not in failed]
        watcher.begin(stage.method.name, len(todo))
        if not todo:
            continue
        make = _maker(job, stage, todo, texts)
        for clip in todo:
            try:
                seconds = _make_one(job, stage, clip, make, watcher)
                watcher.finished(clip.key, seconds)
            except NonFiniteError as error:
                raise NonFiniteError(f"{clip.key}: {error}") from None
            except DataError as error:
                failed[clip.key] = str(error)
                watcher.failed(clip.key, str(error))
                append_row(job.out / FAILURES, {"key": clip.key, "stage": stage.method.name, "message": str(error)})
    if failed:
        key, reason = next(iter(failed.items()))
        raise SceneFailed(f"{len(failed)} of {len(job.clips)} videos were not made; {key}: {reason}", failed=failed)


Maker = Callable[[Clip, OnStep], np.ndarray]


def _maker(job: RunJob, stage: Stage, todo: list[Clip], texts: dict[str, Tensor]) -> Maker:
    """What turns a clip into frames uint8 [num_frames, height, width, 3] in this stage; loads the models."""
    if job.weights is None or stage.number is None:
        return lambda clip, on_step: _baseline(job, clip)
    checkpoint = job.weights.pass1 if stage.number is Pass.ONE else job.weights.pass2
    assert checkpoint is not None
    check_speed(job.speed, job.device)
    if not job.weights.untrained:
        check_memory(job.memory, job.device)
    wanted = {"", *(clip.prompt for clip in todo)}
    known = texts if wanted <= texts.keys() else None
    pipeline = VoidPipeline.load(job.weights.base, checkpoint, job.dtype, job.device, stage.number, known)
    place(pipeline, job.memory, job.device)
    prepare(pipeline.transformer, job.speed, job.memory, job.device)
    pipeline.encode_prompts(sorted(wanted))
    pipeline.text_encoder = None
    texts.update(pipeline.texts)
    return lambda clip, on_step: _void(job, pipeline, stage.number, clip, on_step)


def _make_one(job: RunJob, stage: Stage, clip: Clip, make: Maker, watcher: Watcher) -> float:
    """Make and write one output; the seconds it took."""
    start = time.monotonic()
    frames = make(clip, lambda done, total: watcher.step(clip.key, done, total))
    seconds = round(time.monotonic() - start, 3)
    record = OutputRecord(
        format_version=FORMAT_VERSION,
        key=clip.key,
        method=stage.method,
        prompt=clip.prompt,
        num_frames=len(frames),
        fps=clip.fps(),
        width=frames.shape[2],
        height=frames.shape[1],
        wall_s=seconds,
    )
    write_output(stage.folder, record, frames)
    return seconds


def _void(job: RunJob, pipeline: VoidPipeline, number: Pass | None, clip: Clip, on_step: OnStep) -> np.ndarray:
    """One pass over one clip, from generators that follow from the run's seed and the clip's key."""
    generator = torch.Generator().manual_seed(seed_for(job.settings.seed, clip.key, f"pass{int(number or 0)}"))
    noise = _pass1_motion(job, clip) if number is Pass.TWO else None
    result = pipeline(
        clip.frames(),
        clip.grey(),
        clip.prompt,
        settings=job.settings,
        generator=generator,
        noise=noise,
        on_step=on_step,
    )
    return result.frames


def _pass1_motion(job: RunJob, clip: Clip) -> Tensor:
    """Noise that moves as pass 1's result does: initial latents for all of the padded video."""
    from inference.flow import estimate_flow
    from inference.noise import warped_noise

    settings = job.settings
    frames = torch.from_numpy(decode_rgb(job.out / PASS1_FOLDER / f"{clip.key}.mp4"))
    padded = padded_frames(len(frames), settings.window_frames)
    raft = Path(settings.raft) if settings.raft else None
    flow = estimate_flow(mirror_in_time(frames, padded).numpy(), raft, job.device)
    return warped_noise(
        torch.from_numpy(flow).permute(0, 3, 1, 2).contiguous(),
        latents_of(padded),
        generator=torch.Generator().manual_seed(seed_for(settings.seed, clip.key, "warp")),
        device=job.device,
        noise_resample=settings.noise_resample,
    )


def _baseline(job: RunJob, clip: Clip) -> np.ndarray:
    """A baseline at the model's size, as VOID would see the clip."""
    from inference.baselines import BASELINES

    size = (job.settings.height, job.settings.width)
    video = resized(clip.frames(), *size).permute(0, 2, 3, 1).round().byte().numpy()
    labels = snap_to_labels(resized(clip.grey(), *size)[:, 0]).numpy()
    if len(video) != len(labels):
        raise DataError(f"the video has {len(video)} frames, its quadmask {len(labels)}; they have to belong together")
    check_labels(labels)
    return BASELINES[job.baseline](video, labels)
