"""Weights that are not VOID's are refused in one line before anything is loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_clips import TinyModel
from torch import Tensor

from datagen.errors import DataError
from inference.checkpoints import (
    BASE_FILES,
    check_transformer,
    diffusers_name,
    is_untrained,
    load_text_encoder,
    load_transformer,
    load_vae,
    read_base,
    read_header,
)

Weights = dict[str, Tensor]


@pytest.fixture
def base(tiny: TinyModel, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(tiny.base, tmp_path / "base"))


def changed(tiny: TinyModel, path: Path, change: Callable[[Weights], Weights]) -> Path:
    """Pass 1's weights after `change`, written at `path`."""
    save_file({name: weight.contiguous() for name, weight in change(load_file(tiny.pass1)).items()}, path)
    return path


def comfy_name(name: str) -> str:
    """ComfyUI's name of a weight, written down from its comfy/ldm/cogvideo/model.py."""
    table = {
        "attn1.to_q": "q",
        "attn1.to_k": "k",
        "attn1.to_v": "v",
        "attn1.to_out.0": "attn_out",
        "attn1.norm_q": "norm_q",
        "attn1.norm_k": "norm_k",
        "ff.net.0.proj": "ff_proj",
        "ff.net.2": "ff_out",
        "transformer_blocks": "blocks",
        "time_embedding.linear_1": "time_embedding_linear_1",
        "time_embedding.linear_2": "time_embedding_linear_2",
    }
    for theirs, ours in table.items():
        name = name.replace(theirs, ours)
    return name


def test_the_whole_transformer_is_read_and_has_voids_channels(tiny: TinyModel) -> None:
    config = read_base(tiny.base)
    model = load_transformer(config, tiny.pass1, torch.float32)
    assert model.config.in_channels == 48 and model.config.patch_size_t == 2
    stored = load_file(tiny.pass1)
    assert stored.keys() == model.state_dict().keys()
    assert all(torch.equal(weight, model.state_dict()[name]) for name, weight in stored.items())
    assert not any(parameter.is_meta or parameter.requires_grad for parameter in model.parameters())
    assert load_transformer(config, tiny.pass1, torch.bfloat16).proj_out.weight.dtype == torch.bfloat16


def test_key_that_diffusers_drops_is_read(tiny: TinyModel, base: Path) -> None:
    assert read_base(tiny.base).add_noise_to_source
    config = json.loads((base / "transformer/config.json").read_text())
    del config["add_noise_in_inpaint_model"]
    (base / "transformer/config.json").write_text(json.dumps(config))
    assert not read_base(base).add_noise_to_source


def test_tiny_weights_say_that_they_are_untrained(tiny: TinyModel, tmp_path: Path) -> None:
    assert read_base(tiny.base).untrained and is_untrained(tiny.pass1) and is_untrained(tiny.pass2)
    assert not is_untrained(changed(tiny, tmp_path / "own.safetensors", dict))


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_comfyui_names_are_renamed(tiny: TinyModel, tmp_path: Path, prefix: str) -> None:
    path = changed(
        tiny,
        tmp_path / "comfy.safetensors",
        lambda weights: {prefix + comfy_name(name): weight for name, weight in weights.items()},
    )
    names = read_header(path).shapes
    assert f"{prefix}blocks.0.q.weight" in names and f"{prefix}blocks.1.ff_out.bias" in names
    assert {diffusers_name(name) for name in names} == load_file(tiny.pass1).keys()
    model = load_transformer(read_base(tiny.base), path, torch.float32)
    assert torch.equal(model.state_dict()["proj_out.weight"], load_file(tiny.pass1)["proj_out.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: {name: one.half() for name, one in weights.items()}, "overflows to NaN in fp16"),
        (
            lambda weights: {**weights, "patch_embed.proj.weight": torch.zeros(48, 264)},
            "another CogVideoX or of the base model",
        ),
        (lambda weights: dict(list(weights.items())[:-1]), r"1 of \d+ weights are missing and 0 are unknown"),
        (lambda weights: {**weights, "lora_A": torch.zeros(1)}, r"0 of \d+ weights are missing and 1 .*'lora_A'"),
        (
            lambda weights: {f"encoder.{name}": one for name, one in weights.items()},
            "expected the names of diffusers",
        ),
        (lambda weights: {**weights, "proj_out.bias": torch.zeros(3)}, r"'proj_out.bias' has shape \[3\]"),
    ],
)
def test_other_weights_are_refused(
    tiny: TinyModel, tmp_path: Path, change: Callable[[Weights], Weights], message: str
) -> None:
    path = changed(tiny, tmp_path / "bad.safetensors", change)
    with pytest.raises(DataError, match=message) as caught:
        check_transformer(read_base(tiny.base), path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_cut_file_is_refused(tiny: TinyModel, tmp_path: Path) -> None:
    whole = tiny.pass1.read_bytes()
    for number, size in enumerate((0, 4, 100, len(whole) // 2, len(whole) - 1)):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match="it may be truncated: download it again"):
            check_transformer(read_base(tiny.base), path)


def test_missing_and_pickled_files_are_refused(tiny: TinyModel, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_header(tmp_path / "none.safetensors")
    pickled = tmp_path / "void.pt"
    pickled.write_bytes(b"")
    with pytest.raises(DataError, match="are never opened"):
        read_header(pickled)


@pytest.mark.parametrize("name", BASE_FILES)
def test_an_incomplete_base_folder_is_refused(base: Path, name: str) -> None:
    (base / name).unlink()
    with pytest.raises(DataError, match=f"lacks {name}"):
        read_base(base)


@pytest.mark.parametrize(
    ("key", "value"), [("in_channels", 16), ("in_channels", 32), ("patch_size_t", None), ("patch_size", 4)]
)
def test_the_folder_of_another_cogvideox_is_refused(base: Path, key: str, value: int | None) -> None:
    path = base / "transformer/config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(DataError, match=f"{key} is {value}, expected .* another CogVideoX"):
        read_base(base)


def test_broken_configs_and_parts_are_refused(base: Path) -> None:
    (base / "vae/diffusion_pytorch_model.safetensors").write_bytes(b"half")
    with pytest.raises(DataError, match=r"vae.*truncated"):
        load_vae(base, torch.float32)
    weights = next((base / "text_encoder").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(DataError, match="text_encoder: not a readable T5 encoder"):
        load_text_encoder(base, torch.float32)
    (base / "transformer/config.json").write_text("{")
    with pytest.raises(DataError, match=r"config\.json: not JSON"):
        read_base(base)
    with pytest.raises(DataError, match="no such folder"):
        read_base(base / "nothing")


def test_a_text_encoder_that_lacks_weights_is_refused(base: Path) -> None:
    path = next((base / "text_encoder").glob("*.safetensors"))
    weights = load_file(path)
    name = next(name for name in weights if "SelfAttention.q" in name)
    save_file({other: weight for other, weight in weights.items() if other != name}, path, metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"lacks 1 weights"):
        load_text_encoder(base, torch.float32)
