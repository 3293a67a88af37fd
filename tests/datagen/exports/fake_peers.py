"""Checkouts of peers whose scripts read and write as the real ones do, and paint what they remove green.

Each takes the arguments of the real script, reads its files with OpenCV or numpy as that does, and leaves a result of
the real one's size, length, rate and name.
"""

from __future__ import annotations

from pathlib import Path

COMMON = """
import argparse, json, os, sys
from pathlib import Path

import cv2
import imageio.v2 as imageio
import numpy as np


def arguments(*names):
    parser = argparse.ArgumentParser()
    for name in names:
        if name.endswith("!"):
            parser.add_argument("--" + name[:-1], action="store_true")
        else:
            parser.add_argument("--" + name)
    return vars(parser.parse_args())


def read(path):
    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        there, frame = capture.read()
        if not there:
            break
        frames.append(frame[..., ::-1])
    assert frames, path
    return np.stack(frames), capture.get(cv2.CAP_PROP_FPS)


def green(frames, removed):
    frames = frames.copy()
    frames[removed] = (0, 255, 0)
    return frames


def resize(frames, width, height, how=cv2.INTER_AREA):
    return np.stack([cv2.resize(frame, (width, height), interpolation=how) for frame in frames])


def write(path, frames, fps):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with imageio.get_writer(str(path), fps=fps, codec="libx264", quality=9, macro_block_size=1) as writer:
        for frame in frames:
            writer.append_data(frame)


def mirror(frames, length):
    order = list(range(len(frames)))
    while len(order) < length:
        order += order[-2::-1] if len(frames) > 1 else order
    return frames[order[:length]]
"""

OMNIMATTE_LIKE = """
from common import *

flags = dict(part[2:].split("=", 1) for part in sys.argv[1:] if "=" in part)
root, out = Path(flags["config.data.data_rootdir"]), Path(flags["config.experiment.save_path"])
for name in flags["config.experiment.run_seqs"].split(","):
    frames, _ = read(root / name / "input_video.mp4")
    mask, _ = read(root / name / MASK)
    assert json.loads((root / name / "prompt.json").read_text())["bg"]
    removed = REMOVED(resize(mask, 672, 384, cv2.INTER_NEAREST)[..., 0])
    result = mirror(green(resize(frames, 672, 384), removed), max(85, len(frames)))
    write(out / f"{name}-fg=-1-0001.mp4", result, 12)
    write(out / f"{name}-fg=-1-0001_tuple.mp4", np.concatenate([result, result], axis=2), 12)
"""

SCRIPTS = {
    ("VOID", "inference/cogvideox_fun/predict_v2v.py"): OMNIMATTE_LIKE.replace("MASK", '"quadmask_0.mp4"').replace(
        "REMOVED", "(lambda grey: grey <= 95)"
    ),
    ("OMNIMATTE", "inference/cogvideox_fun/predict_v2v.py"): OMNIMATTE_LIKE.replace("MASK", '"mask_00.mp4"').replace(
        "REMOVED", "(lambda grey: grey >= 240)"
    ),
    ("PROPAINTER", "inference_propainter.py"): """
from common import *

args = arguments("video", "mask", "output", "height", "width", "fp16!", "save_fps")
width, height = int(args["width"]), int(args["height"])
frames, fps = read(args["video"])
masks = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(Path(args["mask"]).iterdir())]
assert len(masks) == len(frames)
removed = resize(np.stack(masks), width, height, cv2.INTER_NEAREST) > 0
name = Path(args["video"]).name[:-4]
write(Path(args["output"]) / name / "masked_in.mp4", frames, fps)
write(Path(args["output"]) / name / "inpaint_out.mp4", green(resize(frames, width, height), removed), fps)
""",
    ("DIFFUERASER", "run_diffueraser.py"): """
from common import *

args = arguments("input_video", "input_mask", "video_length", "save_path")
frames, fps = read(args["input_video"])
mask, mask_fps = read(args["input_mask"])
assert fps == mask_fps and len(frames) >= 22 and not (frames.shape[1] % 8 or frames.shape[2] % 8)
count = min(len(frames), int(int(args["video_length"]) * fps))
result = green(frames[:count], mask[:count, ..., 0] > 0)
write(Path(args["save_path"]) / "priori.mp4", result, fps)
write(Path(args["save_path"]) / "diffueraser_result.mp4", result, fps)
""",
    ("MINIMAX", "test_minimax_remover.py"): """
from common import *

frames, _ = read("./video.mp4")
mask, _ = read("./mask.mp4")
indices = list(range(81))
write("./output.mp4", green(resize(frames[indices], 832, 480), resize(mask[indices], 832, 480)[..., 0] > 20), 10)
""",
    ("ROSE", "inference.py"): """
from common import *

parser = argparse.ArgumentParser()
for name in ("validation_videos", "validation_masks", "validation_prompts", "sample_size"):
    parser.add_argument("--" + name, nargs="+")
parser.add_argument("--output_dir")
parser.add_argument("--video_length", type=int)
args = parser.parse_args()
count, (height, width) = args.video_length, map(int, args.sample_size)
assert count % 16 == 1 and args.validation_prompts == [""]
for index, (video, mask) in enumerate(zip(args.validation_videos, args.validation_masks), start=1):
    frames, mask = read(video)[0], read(mask)[0]
    assert len(frames) >= count
    removed = resize(mask[:count], width, height)[..., 0] > 127
    write(f"{args.output_dir}/example-{index}.mp4", green(resize(frames[:count], width, height), removed), 16)
""",
    ("VIDEOPAINTER", "infer/inpaint.py"): """
sys_path = __import__("sys").path
sys_path.append(__import__("os").path.dirname(sys_path[0]))
from common import *
import csv

args, _ = argparse.ArgumentParser(), None
for name in ("output_path", "inpainting_mask_meta", "inpainting_sample_id", "inpainting_frames",
             "image_or_video_path", "down_sample_fps", "img_inpainting_model", "llm_model"):
    args.add_argument("--" + name)
args, _ = args.parse_known_args()
row = list(csv.DictReader(open(args.inpainting_mask_meta)))[int(args.inpainting_sample_id)]
base = row["path"].split(".")[0]
frames, _ = read(os.path.join(args.image_or_video_path, base[:-3], f"{base}.0.mp4"))
masks = np.load(os.path.join("../data/video_inpainting/videovo", base, "all_masks.npz"))["arr_0"]
start, end = int(row["start_frame"]), int(row["end_frame"])
stride, count = int(row["fps"]) // int(args.down_sample_fps), int(args.inpainting_frames)
frames, removed = frames[start:end][::stride][:count], (masks[start:end] == int(row["mask_id"]))[::stride][:count]
assert len(frames) == count and row["caption"]
masked = frames * ~removed[..., None]
shown = np.repeat(removed[..., None].astype(np.uint8) * 255, 3, axis=-1)
result = np.concatenate([frames, masked, shown, green(frames, removed)], axis=2)
write(args.output_path.replace(".mp4", f"_fps{args.down_sample_fps}.mp4"), result, 8)
""",
    ("EFFECTERASE", "examples/remove_wan/infer_remove_wan.py"): """
from common import *

args = arguments("fg_bg_path", "mask_path", "output_path", "text_encoder_path", "vae_path", "dit_path",
                 "image_encoder_path", "pretrained_lora_path", "num_frames", "height", "width", "seed", "cfg",
                 "num_inference_steps")
frames, _ = read(args["fg_bg_path"])
mask, _ = read(args["mask_path"])
count, width, height = int(args["num_frames"]), int(args["width"]), int(args["height"])
assert len(frames) >= count and count % 4 == 1
removed = resize(mask[:count], width, height)[..., 0] > 127
write(args["output_path"], green(resize(frames[:count], width, height), removed), 15)
""",
}

RUNWAY_SDK = '''
import base64, pathlib, types
from common import *

MODEL_NEEDS = {"gen4_aleph"}


class RunwayML:
    """Sees no mask: it paints all of the picture's left half green."""

    def __init__(self):
        assert os.environ["RUNWAYML_API_SECRET"]
        self.video_to_video = self

    def create(self, *, model, video_uri, prompt_text, ratio):
        assert model in MODEL_NEEDS and prompt_text.startswith("Remove the ")
        Path("in.mp4").write_bytes(base64.b64decode(video_uri.split(",", 1)[1]))
        frames, fps = read("in.mp4")
        removed = np.zeros(frames.shape[:3], bool)
        removed[:, :, : frames.shape[2] // 2] = True
        write("out.mp4", resize(green(frames, removed), *map(int, ratio.split(":"))), fps)
        return self

    def wait_for_task_output(self):
        return types.SimpleNamespace(output=[Path("out.mp4").resolve().as_uri()])
'''


def make_checkouts(root: Path) -> dict[str, str]:
    """Write all fakes; returns the variables that run.sh scripts ask for."""
    variables = {"RUNWAYML_API_SECRET": "key"}
    for (variable, script), text in SCRIPTS.items():
        path = root / variable / script
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        variables[variable] = str(root / variable)
        for folder in {path.parent, root / variable}:
            (folder / "common.py").write_text(COMMON)
    (root / "sdk").mkdir()
    (root / "sdk" / "common.py").write_text(COMMON)
    (root / "sdk" / "runwayml.py").write_text(RUNWAY_SDK)
    variables["PYTHONPATH"] = str(root / "sdk")
    for weights in ("BASE", "PASS1", "CASPER", "WAN", "WEIGHTS"):
        variables[weights] = f"/weights/{weights}"
    return variables
