"""Whether a picture can be laid out edge to edge over a floor: covered everywhere, and without seams.

Pictures that cannot are mostly atlases, in which the sides of one object lie as islands on a blank ground, and plain
photographs.
"""

from __future__ import annotations

import numpy as np

BLOCKS = 32  # along the shorter side: what is blank is seen by blocks of that size
LEAST_BLOCK_PX = 4
BLANK_LEVELS = 1  # a blank block varies by no more; noise keeps what was photographed from being so anywhere
BLANK_SHARE = 0.015
GRAIN_SHARE = 0.8  # of the neighbours in a block of a photograph that differ
GRAINY_SHARE = 0.05  # of the blocks; a drawn pattern has fewer, and may be flat wherever no line is
CLEAR_ALPHA, CLEAR_SHARE = 128, 0.005
SEAM_LEVELS = 4.0
SEAM_RATIO = 2.0  # of the step across the edge to the largest inside: a drawn edge, soft over two lines, halves it
LINES = 1024  # of a picture that its steps are measured on


def why_no_tile(pixels: np.ndarray) -> str:
    """Why a picture, uint8 [height, width, 4] in sRGB with alpha, cannot be repeated; "" where it can."""
    height, width = pixels.shape[:2]
    if min(height, width) < 2 * LEAST_BLOCK_PX:
        return f"too small for a surface: it is {width}x{height}"
    clear = float((pixels[..., 3] < CLEAR_ALPHA).mean())
    if clear > CLEAR_SHARE:
        return f"no surface: {clear:.0%} of it is transparent; give a picture that is covered from edge to edge"
    blank = blank_share(pixels[..., :3])
    if blank > BLANK_SHARE:
        return (
            f"an atlas of an object, no surface: {blank:.0%} of it or more is blank; give a picture that is covered "
            "from edge to edge"
        )
    for axis, edges in ((1, "left and right"), (0, "top and bottom")):
        seam, inside = seam_steps(pixels[..., :3], axis)
        if seam > max(SEAM_RATIO * inside, SEAM_LEVELS):
            return (
                f"does not tile: its {edges} edges differ by {seam:.0f} of 255, neighbouring lines inside by "
                f"{inside:.0f} at most; give one that is made to be repeated"
            )
    return ""


def blank_share(pixels: np.ndarray) -> float:
    """Share [0, 1] of a picture, uint8 [height, width, 3], that is flat amid grain; 0 for a drawn pattern."""
    side = max(min(pixels.shape[:2]) // BLOCKS, LEAST_BLOCK_PX)
    rows, columns = pixels.shape[0] // side, pixels.shape[1] // side
    blocks = pixels[: rows * side, : columns * side].reshape(rows, side, columns, side, 3).swapaxes(1, 2)
    blank = (blocks.max((2, 3)) - blocks.min((2, 3)) <= BLANK_LEVELS).all(-1)
    here, beside, below = blocks[:, :, :-1, :-1], blocks[:, :, :-1, 1:], blocks[:, :, 1:, :-1]
    grain = ((here != beside) | (here != below)).any(-1).mean((2, 3))
    return float(blank.mean()) if (grain > GRAIN_SHARE).mean() > GRAINY_SHARE else 0.0


def seam_steps(pixels: np.ndarray, axis: int) -> tuple[float, float]:
    """Mean difference [levels] of a picture's first and last line along an axis, and the largest of neighbours."""
    lines = np.moveaxis(pixels, axis, 0)
    lines = lines[:, :: max(1, lines.shape[1] // LINES)].astype(np.int16)
    steps = np.abs(np.diff(lines, axis=0)).mean((1, 2))
    return float(np.abs(lines[0] - lines[-1]).mean()), float(steps.max())
