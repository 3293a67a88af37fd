"""The same from Hugging Face `datasets`: `python examples/read_datasets.py FOLDER`, of `datagen export huggingface`."""

import sys
from pathlib import Path

import datasets
import torch

from datagen.video import decode_mask, decode_rgb

model = torch.nn.Conv3d(4, 3, 3, padding=1)
samples = datasets.load_dataset(sys.argv[1], split="train", streaming=True).decode(False)
for sample in samples.shuffle(0, buffer_size=100):
    here, videos = Path(sample["__key__"]), ("rgb_full.mp4", "rgb_removed.mp4")
    full, removed = (torch.from_numpy(decode_rgb(here, sample[name]["bytes"])).movedim(-1, 0) / 255 for name in videos)
    mask = torch.from_numpy(decode_mask(here, contents=sample["mask.mp4"]["bytes"])) / 255
    loss = (model(torch.cat([full, mask[None]])) - removed).square().mean()
    loss.backward()
    print(f"loss {loss.item():.4f}: {sample['json']['caption']}")
