"""Parts of pictures: what is drawn behind a stencil is as in the full picture, and the stencil itself is never seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from test_keep import REPOSITORY, make_physics, make_spec

from datagen.codec import write_json
from datagen.jobs import RenderJob
from datagen.regions import MARGIN_PX, RAMP_PX, Box, grown

pytestmark = [pytest.mark.blender, pytest.mark.slow]

MAX_ERROR = 2.0  # levels of 255, mean over a zone, of what the denoiser makes of one noise in two surroundings
MAX_RIM = 0.5  # levels, mean with its sign: a rim is darker than the picture


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """What `probe_canvas` writes, of the scene of `test_keep`."""
    folder = tmp_path_factory.mktemp("canvas")
    spec = make_spec(folder)
    make_physics(spec, folder / "physics")
    write_json(folder / "spec.json", spec)
    job = RenderJob(spec=str(folder / "spec.json"), physics=str(folder / "physics"), threads=1)
    write_json(folder / "job.json", job)
    probe, out = Path(__file__).with_name("probe_canvas.py"), folder / "found.npz"
    subprocess.run([sys.executable, str(probe), str(folder / "job.json"), str(out)], cwd=REPOSITORY, check=True)
    with np.load(out) as arrays:
        return dict(arrays)


def test_what_is_known_holds_the_region_with_the_ramp_and_no_more_than_the_margin(found: dict[str, np.ndarray]) -> None:
    region, known = found["region"], found["known"]
    assert not (grown(region, RAMP_PX + 5) & ~known).any()
    assert not (known & ~grown(region, MARGIN_PX)).any() and not known.all()


def test_without_a_denoiser_known_pixels_equal_the_full_picture_to_the_picture_s_border(
    found: dict[str, np.ndarray],
) -> None:
    known = found["known"]
    border = np.ones_like(known)
    border[1:-1, 1:-1] = False
    assert (known & border).sum() > 20
    assert np.array_equal(found["drawn_noisy"][known], found["whole_noisy"][known])


def test_nothing_of_the_stencil_is_seen(found: dict[str, np.ndarray]) -> None:
    assert not found["drawn_noisy"][~found["known"]].any() and not found["drawn_denoised"][~found["known"]].any()
    distance = ndimage.distance_transform_edt(~found["region"])
    error = found["drawn_denoised"].astype(float) - found["whole_denoised"]
    for zone in (distance == 0, (distance > 0) & (distance <= RAMP_PX)):
        assert np.abs(error[zone]).mean() < MAX_ERROR and abs(error[zone].mean()) < MAX_RIM


def test_a_stencil_is_used_where_it_hides_much_and_is_seen_sharp(found: dict[str, np.ndarray]) -> None:
    assert found["cut"] and not found["cut_full"]
    assert not found["cut_focused"] and not found["cut_exposed"]


def test_a_part_covers_only_what_it_shows() -> None:
    from blender_scripts.canvas import Drawn, Part  # Blender stays out of the collection of tests

    shown = np.array([[True, False]])
    part = Part(box=Box(left=1, top=0, right=3, bottom=1), pixels=np.full((1, 2, 3), 7, dtype=np.uint8), shown=shown)
    beside = Part(box=Box(left=0, top=0, right=2, bottom=1), pixels=part.pixels + np.uint8(1), shown=~shown)
    drawn = Drawn(parts=(part, beside))
    assert drawn.known((1, 4, 3)).tolist() == [[False, True, False, False]]
    assert drawn.over(np.zeros((1, 4, 3), dtype=np.uint8))[..., 0].tolist() == [[0, 8, 0, 0]]
