"""Reading the weights that the user brings: the base folder and VOID's own transformers. Strict, and nothing unpickled.

The base folder is CogVideoX-Fun-V1.5-5b-InP; of its transformer only config.json is needed. A checkpoint is one
.safetensors file whose keys and shapes are those of diffusers' CogVideoXTransformer3DModel with 48 input channels. All
headers are checked before a byte of weights is read.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn
from transformers import T5EncoderModel, T5Tokenizer

from datagen.errors import DataError, Page
from inference.lean_vae import lean
from inference.vae import correct_upsampling

IN_CHANNELS = 48  # latents, mask and source video, 16 each
BASE_IN_CHANNELS = 33
TEXT_TOKENS = 226
TRANSFORMER_CONFIG = "transformer/config.json"
VAE_WEIGHTS = "diffusion_pytorch_model.safetensors"
UNTRAINED_KEY = "untrained"  # in the config and the checkpoints of a tiny model
BASE_FILES = (
    TRANSFORMER_CONFIG,
    "scheduler/scheduler_config.json",
    "vae/config.json",
    f"vae/{VAE_WEIGHTS}",
    "text_encoder/config.json",
    "tokenizer/spiece.model",
)
GOOD_TYPES = ("BF16", "F32")

# ComfyUI's own names, as in its comfy/ldm/cogvideo/model.py, and what diffusers calls the same weights.
COMFY_PREFIX = "model.diffusion_model."
COMFY_BLOCK = re.compile(r"blocks\.(\d+)\.(q|k|v|attn_out|norm_q|norm_k|ff_proj|ff_out|norm1|norm2)\.(.+)")
COMFY_LAYERS = {
    "q": "attn1.to_q",
    "k": "attn1.to_k",
    "v": "attn1.to_v",
    "attn_out": "attn1.to_out.0",
    "norm_q": "attn1.norm_q",
    "norm_k": "attn1.norm_k",
    "ff_proj": "ff.net.0.proj",
    "ff_out": "ff.net.2",
    "norm1": "norm1",
    "norm2": "norm2",
}
COMFY_TIME = re.compile(r"time_embedding_linear_([12])\.(.+)")


@dataclass(frozen=True, kw_only=True)
class BaseConfig:
    """What the base folder says."""

    transformer: dict[str, Any]  # arguments of diffusers' model, for VOID's channels
    add_noise_to_source: bool
    scheduler: dict[str, Any]
    untrained: bool


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a .safetensors file holds, without its weights."""

    shapes: dict[str, tuple[int, ...]]  # by the names in the file
    dtypes: frozenset[str]
    metadata: dict[str, str]


def read_base(base: Path) -> BaseConfig:
    """Check that `base` is the folder that VOID builds on; `DataError` names what is missing or different."""
    if not base.is_dir():
        raise DataError(f"{base}: no such folder; expected the base model CogVideoX-Fun-V1.5-5b-InP").see(Page.WEIGHTS)
    if missing := [name for name in BASE_FILES if not (base / name).is_file()]:
        raise DataError(
            f"{base}: lacks {', '.join(missing)}; expected the whole folder CogVideoX-Fun-V1.5-5b-InP (of its "
            "transformer config.json is enough)"
        ).see(Page.WEIGHTS)
    raw = _read_json(base / TRANSFORMER_CONFIG)
    _check_family(base, raw)
    known = inspect.signature(CogVideoXTransformer3DModel.__init__).parameters
    arguments = {key: value for key, value in raw.items() if key in known}
    return BaseConfig(
        transformer={**arguments, "in_channels": IN_CHANNELS},
        # diffusers drops this key when it reads the config.
        add_noise_to_source=bool(raw.get("add_noise_in_inpaint_model", False)),
        scheduler=_read_json(base / "scheduler/scheduler_config.json"),
        untrained=bool(raw.get(UNTRAINED_KEY, False)),
    )


def check_transformer(base: BaseConfig, checkpoint: Path) -> None:
    """Raise `DataError` unless the file holds VOID's transformer; reads its header alone."""
    check_weights(checkpoint, read_header(checkpoint), _shapes(_empty_transformer(base)))


def load_transformer(base: BaseConfig, checkpoint: Path, dtype: torch.dtype) -> CogVideoXTransformer3DModel:
    """VOID's transformer in evaluation mode on the CPU; raises `DataError` for every other file."""
    return _load_strictly(_empty_transformer(base), checkpoint, dtype)


def load_vae(base: Path, dtype: torch.dtype) -> AutoencoderKLCogVideoX:
    """The VAE with the right temporal upsampling, in evaluation mode on the CPU."""
    known = inspect.signature(AutoencoderKLCogVideoX.__init__).parameters
    config = {key: value for key, value in _read_json(base / "vae/config.json").items() if key in known}
    with torch.device("meta"):
        vae = AutoencoderKLCogVideoX(**config)
    return lean(correct_upsampling(_load_strictly(vae, base / "vae" / VAE_WEIGHTS, dtype)))


def load_text_encoder(base: Path, dtype: torch.dtype) -> T5EncoderModel:
    """T5's encoder, in evaluation mode on the CPU."""
    folder = base / "text_encoder"
    try:
        model, report = T5EncoderModel.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{folder}: not a readable T5 encoder ({_first_line(error)}); download it again") from None
    if report["missing_keys"]:
        raise DataError(f"{folder}: lacks {len(report['missing_keys'])} weights, e.g. {min(report['missing_keys'])}")
    return model.eval()


def load_tokenizer(base: Path) -> T5Tokenizer:
    """T5's tokenizer; needs sentencepiece and protobuf."""
    try:
        return T5Tokenizer.from_pretrained(base / "tokenizer", local_files_only=True)
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        raise DataError(f"{base / 'tokenizer'}: not a readable T5 tokenizer ({_first_line(error)})") from None


def read_header(path: Path) -> Header:
    """Names, shapes and types of a .safetensors file; raises `DataError` for one that is missing or cut short."""
    if path.suffix != ".safetensors":
        raise DataError(f"{path}: expected a .safetensors file; pickled weights (.pt, .ckpt, .bin) are never opened")
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected weights in .safetensors").see(Page.WEIGHTS)
    try:
        with safe_open(path, framework="pt") as weights:
            slices = {name: weights.get_slice(name) for name in weights.keys()}  # noqa: SIM118
            return Header(
                shapes={name: tuple(one.get_shape()) for name, one in slices.items()},
                dtypes=frozenset(one.get_dtype() for one in slices.values()),
                metadata=dict(weights.metadata() or {}),
            )
    except (SafetensorError, OSError) as error:
        size = path.stat().st_size
        raise DataError(
            f"{path}: not a readable .safetensors ({_first_line(error)}; {size} bytes); it may be truncated: "
            "download it again"
        ) from None


def is_untrained(checkpoint: Path) -> bool:
    """Whether the weights are random ones of `python -m inference tiny-model`."""
    return read_header(checkpoint).metadata.get(UNTRAINED_KEY) == "true"


def diffusers_name(name: str) -> str:
    """The name that diffusers gives a weight, of its own name or of ComfyUI's."""
    name = name.removeprefix(COMFY_PREFIX)
    if block := COMFY_BLOCK.fullmatch(name):
        number, layer, rest = block.groups()
        return f"transformer_blocks.{number}.{COMFY_LAYERS[layer]}.{rest}"
    if time := COMFY_TIME.fullmatch(name):
        return f"time_embedding.linear_{time[1]}.{time[2]}"
    return name


def check_weights(path: Path, header: Header, expected: Mapping[str, tuple[int, ...]]) -> None:
    """Raise `DataError` unless the file holds exactly the expected names, shapes and a usable type."""
    if strange := header.dtypes - set(GOOD_TYPES):
        why = " (VOID overflows to NaN in fp16)" if "F16" in strange else ""
        raise DataError(f"{path}: weights are stored as {', '.join(sorted(strange))}{why}; expected BF16 or F32")
    found = {diffusers_name(name): shape for name, shape in header.shapes.items()}
    patches = "patch_embed.proj.weight"
    if patches in expected and patches in found and found[patches] != expected[patches]:
        raise DataError(
            f"{path}: {patches} is {list(found[patches])}, expected {list(expected[patches])}: the weights of another "
            "CogVideoX or of the base model itself; expected void_pass1.safetensors or void_pass2.safetensors"
        ).see(Page.WEIGHTS)
    missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
    if missing or extra:
        examples = ", ".join(f"'{name}'" for name in [*sorted(missing)[:2], *sorted(extra)[:2]])
        raise DataError(
            f"{path}: {len(missing)} of {len(expected)} weights are missing and {len(extra)} are unknown (e.g. "
            f"{examples}); expected the names of diffusers, as VOID is published"
        )
    if wrong := sorted(name for name, shape in expected.items() if found[name] != shape):
        name = wrong[0]
        raise DataError(f"{path}: '{name}' has shape {list(found[name])}, expected {list(expected[name])}")


def _empty_transformer(base: BaseConfig) -> CogVideoXTransformer3DModel:
    with torch.device("meta"):
        return CogVideoXTransformer3DModel(**base.transformer)


def _shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(weight.shape) for name, weight in model.state_dict().items()}


def _load_strictly(model: nn.Module, path: Path, dtype: torch.dtype) -> Any:
    """Fill a model that was built on the meta device."""
    check_weights(path, read_header(path), _shapes(model))
    weights = {diffusers_name(name): weight.to(dtype) for name, weight in load_file(path).items()}
    model.load_state_dict(weights, strict=True, assign=True)
    return model.eval().requires_grad_(False)


def _check_family(base: Path, raw: Mapping[str, Any]) -> None:
    """Refuse the folder of another CogVideoX: they differ in input channels and in patches over time."""
    expected = {"in_channels": (BASE_IN_CHANNELS, IN_CHANNELS), "patch_size": (2,), "patch_size_t": (2,)}
    for key, allowed in expected.items():
        if raw.get(key) not in allowed:
            raise DataError(
                f"{base / TRANSFORMER_CONFIG}: {key} is {raw.get(key)}, expected {allowed[0]}: the folder of another "
                "CogVideoX; VOID builds on CogVideoX-Fun-V1.5-5b-InP"
            )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not JSON ({error}); download it again") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: expected a JSON object, found {type(found).__name__}")
    return found


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
