"""The peers. To add one, append a `Peer` (docs/PEERS.md walks through it); nothing else has to know."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from datagen.codec import atomic_path
from datagen.errors import ConfigError, did_you_mean
from datagen.exports.peer import ExportedClip, Peer, PeerInput, Setting
from datagen.exports.peer_inputs import (
    binary_pngs,
    binary_video,
    instruction,
    mask_array,
    prompt,
    quadmask,
    video,
)

CHECKOUT = "folder of its checkout"
SEE = "see its repository"

VOID = Peer(
    name="void",
    title="VOID (the released script)",
    source="arXiv 2604.02296",
    licence="Apache-2.0",
    inputs=(
        PeerInput(path="data/{key}/input_video.mp4", write=video),
        PeerInput(path="data/{key}/quadmask_0.mp4", write=quadmask),
        PeerInput(path="data/{key}/prompt.json", write=prompt),
    ),
    settings=(
        Setting(name="VOID", meaning=CHECKOUT),
        Setting(name="BASE", meaning="folder CogVideoX-Fun-V1.5-5b-InP"),
        Setting(name="PASS1", meaning="void_pass1.safetensors"),
    ),
    call="""cd "$VOID" && python inference/cogvideox_fun/predict_v2v.py --config config/quadmask_cogvideox.py \\
    --config.data.data_rootdir="$HERE/data" --config.experiment.run_seqs="$KEYS" \\
    --config.experiment.save_path="$HERE/outputs" --config.video_model.model_name="$BASE" \\
    --config.video_model.transformer_path="$PASS1\"""",
    once=True,
    output="{key}-fg=-1-[0-9][0-9][0-9][0-9].mp4",
    max_frames=197,
    notes="It pads to 85 frames or more itself and writes 12 frames a second: the import cuts.",
)

PROPAINTER = Peer(
    name="propainter",
    title="ProPainter",
    source="arXiv 2309.03897; github.com/sczhou/ProPainter",
    licence="S-Lab License 1.0 (non-commercial)",
    inputs=(
        PeerInput(path="data/{key}.mp4", write=video),
        PeerInput(path="data/{key}_mask", write=binary_pngs),
    ),
    settings=(Setting(name="PROPAINTER", meaning=CHECKOUT),),
    call="""cd "$PROPAINTER" && python inference_propainter.py --video "$HERE/data/$KEY.mp4" \\
    --mask "$HERE/data/${KEY}_mask" --output "$HERE/outputs" --height 320 --width 576 --fp16 --save_fps 12""",
    output="{key}/inpaint_out.mp4",
    notes="Masks are a folder of PNGs; non-zero is removed, and dilated by 4 pixels by the script.",
)

DIFFUERASER = Peer(
    name="diffueraser",
    title="DiffuEraser",
    source="arXiv 2501.10018; github.com/lixiaowen-xw/DiffuEraser",
    licence=SEE,
    inputs=(
        PeerInput(path="data/{key}/video.mp4", write=video),
        PeerInput(path="data/{key}/mask.mp4", write=binary_video),
    ),
    settings=(Setting(name="DIFFUERASER", meaning=CHECKOUT),),
    call="""cd "$DIFFUERASER" && python run_diffueraser.py --input_video "$HERE/data/$KEY/video.mp4" \\
    --input_mask "$HERE/data/$KEY/mask.mp4" --video_length "$SECONDS_UP" --save_path "$OUT\"""",
    output="{key}/diffueraser_result.mp4",
    multiple=8,
    min_frames=22,
    notes="Above 0 is removed; --video_length is in whole seconds. It crops to multiples of 8, so they are sent.",
)

MINIMAX_REMOVER = Peer(
    name="minimax-remover",
    title="MiniMax-Remover",
    source="arXiv 2505.24873; github.com/zibojia/MiniMax-Remover",
    licence=SEE,
    inputs=(
        PeerInput(path="data/{key}/video.mp4", write=video),
        PeerInput(path="data/{key}/mask.mp4", write=binary_video),
    ),
    settings=(Setting(name="MINIMAX", meaning=CHECKOUT + ", with vae, transformer and scheduler in it"),),
    call="""cd "$MINIMAX" && cp "$HERE/data/$KEY/video.mp4" "$HERE/data/$KEY/mask.mp4" . \\
    && python test_minimax_remover.py && mv output.mp4 "$OUT/output.mp4\"""",
    output="{key}/output.mp4",
    size=(832, 480),
    min_frames=81,
    max_frames=81,
    notes="The script reads frames 0 to 80 of ./video.mp4 and ./mask.mp4 (above 20 is removed), always.",
)

ROSE = Peer(
    name="rose",
    title="ROSE",
    source="arXiv 2508.18633",
    licence=SEE,
    inputs=(
        PeerInput(path="data/{key}/video.mp4", write=video),
        PeerInput(path="data/{key}/mask.mp4", write=binary_video),
    ),
    settings=(Setting(name="ROSE", meaning=CHECKOUT + ", with models and weights in it"),),
    call="""cd "$ROSE" && python inference.py --validation_videos "$HERE/data/$KEY/video.mp4" \\
    --validation_masks "$HERE/data/$KEY/mask.mp4" --validation_prompts "" --output_dir "$OUT/" \\
    --video_length "$NUM_FRAMES" --sample_size 480 720""",
    output="{key}/example-*.mp4",
    size=(720, 480),
    step=16,
    min_frames=17,
    notes="Lengths are 16n+1. It takes as many videos as prompts, so it is called once a clip.",
)

GEN_OMNIMATTE = Peer(
    name="gen-omnimatte",
    title="Generative Omnimatte (Casper, public reimplementation)",
    source="arXiv 2411.16683; github.com/gen-omnimatte/gen-omnimatte-public",
    licence=SEE,
    inputs=(
        PeerInput(path="data/{key}/input_video.mp4", write=video),
        PeerInput(path="data/{key}/mask_00.mp4", write=binary_video),
        PeerInput(path="data/{key}/prompt.json", write=prompt),
    ),
    settings=(
        Setting(name="OMNIMATTE", meaning=CHECKOUT),
        Setting(name="BASE", meaning="folder CogVideoX-Fun-V1.5-5b-InP"),
        Setting(name="CASPER", meaning="weights of the removal model"),
    ),
    call="""cd "$OMNIMATTE" && python inference/cogvideox_fun/predict_v2v.py --config config/default_cogvideox.py \\
    --config.data.data_rootdir="$HERE/data" --config.experiment.run_seqs="$KEYS" \\
    --config.experiment.save_path="$HERE/outputs" --config.video_model.model_name="$BASE" \\
    --config.video_model.transformer_path="$CASPER\"""",
    once=True,
    output="{key}-fg=-1-[0-9][0-9][0-9][0-9].mp4",
    max_frames=197,
    notes="White (240 and more) is the object. A picture of inputs and output lies beside each video, as *_tuple.mp4.",
)

RUNWAY = Peer(
    name="runway",
    title="Runway (Aleph)",
    source="docs.dev.runwayml.com",
    licence="commercial API; each call costs credits",
    inputs=(
        PeerInput(path="data/{key}.mp4", write=video),
        PeerInput(path="data/{key}.txt", write=instruction),
    ),
    settings=(
        Setting(name="RUNWAYML_API_SECRET", meaning="your key; needs `pip install runwayml`"),
        Setting(name="RUNWAY_MODEL", meaning="the model's name", default="gen4_aleph"),
    ),
    call="""python - "$HERE/data/$KEY.mp4" "$HERE/data/$KEY.txt" "$RUNWAY_MODEL" "$OUT/result.mp4" <<'PYTHON'
import base64, pathlib, sys, urllib.request
from runwayml import RunwayML

clip, text, model, out = sys.argv[1:]
uri = "data:video/mp4;base64," + base64.b64encode(pathlib.Path(clip).read_bytes()).decode()
prompt = pathlib.Path(text).read_text().strip()[:1000]
task = RunwayML().video_to_video.create(model=model, video_uri=uri, prompt_text=prompt, ratio="1280:720")
urllib.request.urlretrieve(task.wait_for_task_output().output[0], out)
PYTHON""",
    output="{key}/result.mp4",
    size=(1280, 720),
    notes=(
        "No mask: the prompt says what to remove. Clips of 2 to 30 s; older versions use the first 5 s only. The call "
        "follows the vendor's SDK and has not been run."
    ),
)

VIDEO_PAINTER_NAME = "{index:09d}000"  # its reader looks for raw_video/<all but the last three characters>/<name>.0.mp4


def video_painter_table(path: Path, clips: Sequence[tuple[ExportedClip, str]]) -> None:
    """The table of clips that VideoPainter's script takes one line of."""
    with atomic_path(path) as partial, partial.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "mask_id", "start_frame", "end_frame", "fps", "caption"])
        for clip, caption in clips:
            name = VIDEO_PAINTER_NAME.format(index=clip.index)
            writer.writerow([f"{name}.0.mp4", 1, 0, clip.padded_frames, round(clip.sent_fps), caption])


VIDEO_PAINTER = Peer(
    name="videopainter",
    title="VideoPainter",
    source="arXiv 2503.05639; github.com/TencentARC/VideoPainter",
    licence=SEE,
    inputs=(
        PeerInput(path="data/videovo/raw_video/{index:09d}/{index:09d}000.0.mp4", write=video),
        PeerInput(path="data/video_inpainting/videovo/{index:09d}000/all_masks.npz", write=mask_array),
    ),
    index=lambda root, clips: video_painter_table(root / "data/video_inpainting/voidgen.csv", clips),
    settings=(
        Setting(name="VIDEOPAINTER", meaning=CHECKOUT + ", with ckpt in it"),
        Setting(name="LLM", meaning="model that rewrites prompts (it asks OpenAI)", default="gpt-4o"),
    ),
    # Its script reads masks at ../data/video_inpainting of where it is called, so it is called from a folder of ours.
    call="""mkdir -p "$HERE/run" && cd "$HERE/run" && python "$VIDEOPAINTER/infer/inpaint.py" \\
    --prompt "" --model_path "$VIDEOPAINTER/ckpt/CogVideoX-5b-I2V" \\
    --inpainting_branch "$VIDEOPAINTER/ckpt/VideoPainter/checkpoints/branch" --output_path "$OUT/result.mp4" \\
    --num_inference_steps 50 --guidance_scale 6.0 --num_videos_per_prompt 1 --dtype bfloat16 \\
    --generate_type i2v_inpainting --inpainting_mask_meta "$HERE/data/video_inpainting/voidgen.csv" \\
    --inpainting_sample_id "$INDEX" --inpainting_frames 49 --image_or_video_path "$HERE/data/videovo/raw_video" \\
    --first_frame_gt --replace_gt --mask_add --down_sample_fps 8 --overlap_frames 0 --prev_clip_weight 0.0 \\
    --img_inpainting_model "$VIDEOPAINTER/ckpt/flux_inp" --llm_model "$LLM" --dilate_size 32""",
    output="{key}/result_fps8.mp4",
    size=(720, 480),
    fps=8,
    min_frames=49,
    max_frames=49,
    panels=4,
    notes=(
        "Its first frame is painted by FLUX, by a prompt that a language model writes. The output shows original, "
        "masked, mask and result side by side: the import takes the last."
    ),
)

EFFECT_ERASE = Peer(
    name="effecterase",
    title="EffectErase",
    source="arXiv 2603.19224; henghuiding.com/EffectErase",
    licence=SEE,
    inputs=(
        PeerInput(path="data/{key}/video.mp4", write=video),
        PeerInput(path="data/{key}/mask.mp4", write=binary_video),
    ),
    settings=(
        Setting(name="EFFECTERASE", meaning=CHECKOUT),
        Setting(name="WAN", meaning="folder Wan2.1-Fun-1.3B-InP"),
        Setting(name="WEIGHTS", meaning="EffectErase.ckpt"),
    ),
    call="""cd "$EFFECTERASE" && python examples/remove_wan/infer_remove_wan.py \\
    --fg_bg_path "$HERE/data/$KEY/video.mp4" --mask_path "$HERE/data/$KEY/mask.mp4" --output_path "$OUT/result.mp4" \\
    --text_encoder_path "$WAN/models_t5_umt5-xxl-enc-bf16.pth" --vae_path "$WAN/Wan2.1_VAE.pth" \\
    --dit_path "$WAN/diffusion_pytorch_model.safetensors" \\
    --image_encoder_path "$WAN/models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth" \\
    --pretrained_lora_path "$WEIGHTS" --num_frames "$NUM_FRAMES" --height 480 --width 832 --seed 2025 --cfg 1.0 \\
    --num_inference_steps 50""",
    output="{key}/result.mp4",
    size=(832, 480),
    step=4,
    min_frames=81,
    max_frames=81,
    notes="81 frames, as in its own examples.",
)

PEERS = (
    VOID,
    PROPAINTER,
    DIFFUERASER,
    MINIMAX_REMOVER,
    ROSE,
    GEN_OMNIMATTE,
    RUNWAY,
    VIDEO_PAINTER,
    EFFECT_ERASE,
)


def find_peer(name: str) -> Peer:
    """The peer of that name; raises `ConfigError` that names the nearest."""
    for peer in PEERS:
        if peer.name == name:
            return peer
    raise ConfigError(f"there is no peer '{name}'{did_you_mean(name, [peer.name for peer in PEERS])}")
