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
from inference.quantise import Float8, Float8Linear, is_large_linear, to_float8
from inference.run import RunJob
from inference.settings import Settings
from inference.speed import Speed, check_speed, default_speed, prepare


@pytest.fixture
def modern_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> list[nn.Module]:
    """Compiling is left out; which transformers would have been compiled."""
    asked = list[nn.Module]()
    monkeypatch.setattr(speeds, "compile_blocks", asked.append)
    return asked


def test_a_gpu_compiles_and_a_cpu_does_not() -> None:
    assert default_speed("cuda:1") is default_speed("cuda") is Speed.COMPILED
    assert default_speed("cpu") is Speed.EXACT


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_is_chosen_by_itself_is_always_allowed(device: str, modern_gpu: None) -> None:
    check_speed(default_speed(device), device)


@pytest.mark.parametrize(
    ("speed", "message"),
    [
        (Speed.COMPILED, "needs an NVIDIA GPU, not cpu; choose --speed exact"),
        (Speed.FP8, "needs an NVIDIA GPU"),
    ],
)
def test_what_cannot_work_is_one_line(speed: Speed, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        check_speed(speed, "cpu")
    assert "\n" not in str(raised.value)


def test_fp8_needs_a_gpu_that_multiplies_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    check_speed(Speed.COMPILED, "cuda")
    with pytest.raises(ConfigError, match=r"capability 8\.9 or newer"):
        check_speed(Speed.FP8, "cuda")


@torch.inference_mode()
def test_joint_blocks_in_the_pipeline_make_the_same_video(
    pipeline: VoidPipeline, settings: Settings, uncompiled: list[nn.Module]
) -> None:
    given = torch.randn(1, 4, 48, HEIGHT // 8, WIDTH // 8, generator=torch.Generator().manual_seed(0))
    texts = torch.randn(2, 226, 32, generator=torch.Generator().manual_seed(1))
    joined = copy.copy(pipeline)
    joined.transformer = copy.deepcopy(pipeline.transformer)
    prepare(joined.transformer, Speed.EXACT, MemoryMode.FULL, "cpu")
    assert not any(isinstance(block, JointBlock) for block in joined.transformer.transformer_blocks)
    prepare(joined.transformer, Speed.COMPILED, MemoryMode.FULL, "cpu")
    assert all(isinstance(block, JointBlock) for block in joined.transformer.transformer_blocks)
    assert uncompiled == [joined.transformer]
    expected = pipeline._predict(given, texts, 500)
    torch.testing.assert_close(joined._predict(given, texts, 500), expected, atol=1e-5, rtol=1e-5)


def test_fp8_replaces_the_large_layers_wherever_they_wait(
    pipeline: VoidPipeline, uncompiled: list[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU; here the conversion runs on the CPU, and nothing is multiplied."""
    transformer = copy.deepcopy(pipeline.transformer)
    monkeypatch.setattr("inference.quantise.check_can_multiply", lambda _device: None)
    prepare(transformer, Speed.FP8, MemoryMode.OFFLOAD_FP8, "cpu")
    block = transformer.transformer_blocks[0]
    large = (block.to_qkv, block.to_out, block.ff_in, block.ff_out)
    assert all(isinstance(layer, Float8Linear) and layer.kind is Float8.MATMULS for layer in large)
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
    assert job_of(tiny, tmp_path, "auto", "cuda:0", "offload+fp8").speed is Speed.COMPILED


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


@torch.inference_mode()
@pytest.mark.parametrize("speed", [Speed.EXACT, Speed.COMPILED])
def test_weights_in_eight_bits_go_with_every_speed(
    pipeline: VoidPipeline, uncompiled: list[nn.Module], speed: Speed
) -> None:
    """Stacked or not, a row keeps its scale: both speeds compute with the same weights."""
    small = copy.copy(pipeline)
    small.transformer = copy.deepcopy(pipeline.transformer)
    prepare(small.transformer, speed, MemoryMode.OFFLOAD_FP8, "cpu")
    plain = copy.copy(pipeline)
    plain.transformer = copy.deepcopy(pipeline.transformer)
    for name, layer in plain.transformer.transformer_blocks.named_modules():
        if is_large_linear(layer, name):
            weight, scale = to_float8(layer.weight)
            layer.weight.copy_(weight.float() * scale)
    given = torch.randn(1, 4, 48, HEIGHT // 8, WIDTH // 8, generator=torch.Generator().manual_seed(0))
    texts = torch.randn(1, 226, 32, generator=torch.Generator().manual_seed(1))
    expected = plain._predict(given, texts, 500)
    torch.testing.assert_close(small._predict(given, texts, 500), expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(pipeline._predict(given, texts, 500), expected, atol=1e-3)
