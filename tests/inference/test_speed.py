"""Which speeds go with which memory modes and devices, and what each does to the blocks."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from tiny_clips import HEIGHT, WIDTH, TinyModel, write_eval_clip
from torch import nn

from datagen.codec import read_record
from datagen.errors import ConfigError, RunFolderError
from inference import speed as speeds
from inference.compile import JointBlock
from inference.inputs import find_clips
from inference.jobs import make_job
from inference.memory import MemoryMode
from inference.outputs import Method, OutputRecord, is_done
from inference.pipeline import VoidPipeline
from inference.quantise import Float8Linear
from inference.run import RunJob
from inference.settings import Settings
from inference.speed import Speed, check_speed, default_speed, speed_up


@pytest.fixture
def modern_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> list[nn.Module]:
    """Compiling is left out; which transformers would have been compiled."""
    asked = list[nn.Module]()
    monkeypatch.setattr(speeds, "compile_blocks", asked.append)
    return asked


def test_a_gpu_compiles_unless_weights_are_unpacked_for_each_product() -> None:
    assert default_speed(MemoryMode.FULL, "cuda:1") is default_speed(MemoryMode.OFFLOAD, "cuda") is Speed.COMPILED
    assert default_speed(MemoryMode.OFFLOAD_FP8, "cuda") is default_speed(MemoryMode.FULL, "cpu") is Speed.EXACT


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("memory", list(MemoryMode))
def test_what_is_chosen_by_itself_is_always_allowed(memory: MemoryMode, device: str, modern_gpu: None) -> None:
    check_speed(default_speed(memory, device), memory, device)


@pytest.mark.parametrize(
    ("speed", "memory", "device", "message"),
    [
        (Speed.FP8, MemoryMode.OFFLOAD_FP8, "cuda", r"--speed fp8 does not go with --memory offload\+fp8"),
        (Speed.COMPILED, MemoryMode.OFFLOAD_FP8, "cuda", "choose --memory offload, or --speed exact"),
        (Speed.COMPILED, MemoryMode.FULL, "cpu", "needs an NVIDIA GPU, not cpu; choose --speed exact"),
        (Speed.FP8, MemoryMode.OFFLOAD, "cpu", "needs an NVIDIA GPU"),
    ],
)
def test_what_cannot_work_is_one_line(
    speed: Speed, memory: MemoryMode, device: str, message: str, modern_gpu: None
) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        check_speed(speed, memory, device)
    assert "\n" not in str(raised.value)


def test_fp8_needs_a_gpu_that_multiplies_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    check_speed(Speed.COMPILED, MemoryMode.FULL, "cuda")
    with pytest.raises(ConfigError, match=r"capability 8\.9 or newer"):
        check_speed(Speed.FP8, MemoryMode.FULL, "cuda")


@torch.inference_mode()
def test_joint_blocks_in_the_pipeline_make_the_same_video(
    pipeline: VoidPipeline, settings: Settings, uncompiled: list[nn.Module]
) -> None:
    given = torch.randn(1, 4, 48, HEIGHT // 8, WIDTH // 8, generator=torch.Generator().manual_seed(0))
    texts = torch.randn(2, 226, 32, generator=torch.Generator().manual_seed(1))
    joined = copy.copy(pipeline)
    joined.transformer = copy.deepcopy(pipeline.transformer)
    speed_up(joined.transformer, Speed.EXACT, "cpu")
    assert not any(isinstance(block, JointBlock) for block in joined.transformer.transformer_blocks)
    speed_up(joined.transformer, Speed.COMPILED, "cpu")
    assert all(isinstance(block, JointBlock) for block in joined.transformer.transformer_blocks)
    assert uncompiled == [joined.transformer]
    expected = pipeline._predict(given, texts, 500)
    torch.testing.assert_close(joined._predict(given, texts, 500), expected, atol=1e-5, rtol=1e-5)


def test_fp8_replaces_the_large_layers_wherever_they_wait(
    pipeline: VoidPipeline, uncompiled: list[nn.Module], modern_gpu: None
) -> None:
    """With offloading the weights are in main memory when they are turned into fp8."""
    transformer = copy.deepcopy(pipeline.transformer)
    speed_up(transformer, Speed.FP8, "cuda")
    block = transformer.transformer_blocks[0]
    assert all(isinstance(layer, Float8Linear) for layer in (block.to_qkv, block.to_out, block.ff_in, block.ff_out))
    assert type(block.norm1.linear) is nn.Linear
    assert uncompiled == [transformer]


def job_of(tiny: TinyModel, root: Path, speed: str, device: str = "cpu", memory: str = "full") -> RunJob:
    if not (root / "data").exists():
        write_eval_clip(root / "data/a", 2)
    clips = find_clips(root / "data", root / "scratch")
    return make_job(clips, root / "out", tiny.base, tiny.pass1, None, "", [], 0, memory, device, speed)


def test_the_command_line_chooses_by_device(tiny: TinyModel, tmp_path: Path, modern_gpu: None) -> None:
    assert job_of(tiny, tmp_path, "auto").speed is Speed.EXACT
    assert job_of(tiny, tmp_path, "auto", "cuda:0").speed is Speed.COMPILED
    assert job_of(tiny, tmp_path, "fp8", "cuda:0", "offload").speed is Speed.FP8
    with pytest.raises(ConfigError, match=r"--speed compilled; did you mean 'compiled'\?"):
        job_of(tiny, tmp_path, "compilled")
    with pytest.raises(ConfigError, match="does not go with"):
        job_of(tiny, tmp_path, "fp8", "cuda:0", "offload+fp8")


def test_another_speed_is_another_method(tmp_path: Path) -> None:
    from datagen.codec import write_json

    made = Method(
        name="pass1", settings={}, checkpoint="", memory="full", speed="exact", dtype="float32", untrained=True
    )
    write_json(
        tmp_path / "a.json",
        OutputRecord(
            format_version=1, key="a", method=made, prompt="", num_frames=1, fps=1.0, width=1, height=1, wall_s=0.0
        ),
    )
    (tmp_path / "a.mp4").touch()
    assert read_record(OutputRecord, tmp_path / "a.json").method.speed == "exact"
    other = Method(
        name="pass1", settings={}, checkpoint="", memory="full", speed="fp8", dtype="float32", untrained=True
    )
    assert is_done(tmp_path, "a", made)
    with pytest.raises(RunFolderError, match="made with other speed;"):
        is_done(tmp_path, "a", other)
