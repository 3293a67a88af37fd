"""What clips a sequence has, and which of them are drawn."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from datagen.errors import ConfigError, DataError, SpecError
from datagen.physics.handover import take_clip
from datagen.seeding import generator_for
from datagen.sequence import Sequence
from datagen.sources.clips import ClipKind, ClipProposal, clip_length, draw_clips, propose_clips
from tests.datagen.physics.scenes import pose, sequence_of, spec_of
from tests.datagen.sources.test_humoto import BOX, FRAMES, lifted


def set_down() -> Sequence:
    """A box is carried at 1 m, set on the floor at frame 60, and left there."""
    height = np.interp(np.arange(FRAMES), [30, 60], [1.05, 0.05])
    poses = np.stack([pose(0, 0, z) for z in height])
    hand = poses[:, :3] + (0, 0, 0.052)
    hand[62:] += (0, 0, 1.0)
    return sequence_of({"box": (BOX, poses)}, hand)


def propose(sequence: Sequence, num_frames: int = 24, fps: float = 12.0) -> tuple[ClipProposal, ...]:
    return propose_clips(sequence, num_frames=num_frames, fps=fps, mocap_fps=30)


def proposal(start: int, kind: ClipKind) -> ClipProposal:
    effect = kind in (ClipKind.HELD, ClipKind.TOUCHED_LATER)
    return ClipProposal(start_frame=start, kind=kind, held=(), drop_m=0, score=1.0 if effect else 0.0)


def draw(
    candidates: tuple[ClipProposal, ...],
    seed: int = 0,
    length: int = 30,
    max_overlap: float = 0.5,
    effect_share: float = 0.85,
    touched_later_share: float = 0.2,
    limit: int | None = None,
) -> tuple[ClipProposal, ...]:
    return draw_clips(
        candidates,
        length=length,
        max_overlap=max_overlap,
        effect_share=effect_share,
        touched_later_share=touched_later_share,
        rng=generator_for(seed, "test"),
        limit=limit,
    )


def test_a_box_that_is_lifted_is_first_left_alone_then_touched_later_then_held() -> None:
    kinds = {one.start_frame: one.kind for one in propose(lifted(), num_frames=8)}
    assert kinds[0] is ClipKind.NOTHING
    assert kinds[27] is ClipKind.TOUCHED_LATER
    assert kinds[60] is ClipKind.HELD and kinds[72] is ClipKind.HELD


def test_a_box_that_is_set_down_is_held_then_let_go_then_left_alone() -> None:
    proposals = {one.start_frame: one for one in propose(set_down(), num_frames=8)}
    assert proposals[30].kind is ClipKind.HELD and proposals[30].effect
    assert proposals[63].kind is ClipKind.LET_GO and not proposals[63].effect and proposals[63].score == 0
    assert proposals[90].kind is ClipKind.NOTHING


def test_the_best_clip_starts_while_the_box_is_high() -> None:
    best = max(propose(lifted()), key=lambda one: one.score)
    assert best.kind is ClipKind.HELD and best.held == ("box",)
    assert best.start_frame >= 55 and best.drop_m > 0.4
    assert propose(lifted()) == propose(lifted())


def test_a_ball_inside_a_bowl_does_not_carry_it() -> None:
    bowl = np.repeat(pose(0, 0, 1.0)[None], FRAMES, axis=0)
    sequence = sequence_of({"ball": ((0.05,) * 3, bowl), "bowl": (BOX, bowl)}, bowl[:, :3] + (0, 0, 0.052))
    assert propose(sequence)[0].drop_m == pytest.approx(0.95)


@pytest.mark.parametrize("max_overlap", [0.0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("length", [7, 29, 58])
def test_clips_overlap_no_more_than_asked(max_overlap: float, length: int) -> None:
    candidates = tuple(proposal(start, ClipKind.HELD) for start in range(0, 200, 3))
    starts = sorted(one.start_frame for one in draw(candidates, length=length, max_overlap=max_overlap))
    overlaps = [(length - (second - first)) / length for first, second in itertools.pairwise(starts)]
    assert len(starts) > 2 and max(overlaps) <= max_overlap


def test_a_full_overlap_may_be_asked_for() -> None:
    candidates = tuple(proposal(start, ClipKind.HELD) for start in range(12))
    assert len(draw(candidates, max_overlap=1.0, effect_share=1.0)) == 12


def test_draws_follow_the_shares() -> None:
    kinds = (ClipKind.HELD, ClipKind.TOUCHED_LATER, ClipKind.LET_GO, ClipKind.NOTHING)
    candidates = tuple(proposal(100 * index, kind) for index, kind in enumerate(kinds * 3))
    first = Counter(draw(candidates, seed, limit=1)[0].kind for seed in range(400))
    assert 0.61 < first[ClipKind.HELD] / 400 < 0.75  # 0.85 x 0.8
    assert 0.11 < first[ClipKind.TOUCHED_LATER] / 400 < 0.23  # 0.85 x 0.2
    assert 0.03 < first[ClipKind.LET_GO] / 400 < 0.13  # 0.15 / 2
    assert 0.03 < first[ClipKind.NOTHING] / 400 < 0.13
    assert draw(candidates, 5) == draw(candidates, 5) != draw(candidates, 6)
    assert draw(candidates, 5, limit=3) == draw(candidates, 5)[:3]


def test_a_null_clip_is_drawn_though_better_ones_would_crowd_it_out() -> None:
    """The only one without effect overlaps the best ones; a draw by score alone would never take it."""
    candidates = (proposal(0, ClipKind.NOTHING), *(proposal(start, ClipKind.HELD) for start in (5, 10, 60)))
    drawn = [draw(candidates, seed)[0].kind for seed in range(100)]
    assert 5 <= drawn.count(ClipKind.NOTHING) <= 30


def test_without_a_wish_for_them_no_null_clips_are_drawn() -> None:
    candidates = (*(proposal(100 * n, ClipKind.HELD) for n in range(5)), proposal(900, ClipKind.NOTHING))
    assert {one.kind for one in draw(candidates, effect_share=1.0)} == {ClipKind.HELD}
    assert draw(candidates[-1:], effect_share=1.0) == ()
    assert {one.kind for one in draw(candidates, effect_share=0.0)} == {ClipKind.HELD, ClipKind.NOTHING}


def test_a_sequence_in_which_nothing_happens_gives_one_null_clip_at_least() -> None:
    candidates = tuple(proposal(100 * index, ClipKind.NOTHING) for index in range(20))
    counts = [len(draw(candidates, seed)) for seed in range(50)]
    assert min(counts) == 1 and max(counts) < 6


@pytest.mark.parametrize(
    ("num_frames", "fps", "length"),
    [
        (24, 12.0, 58),
        (49, 23.976, 61),
        (50, 12.5, 118),
        (97, 24.0, 120),
        (241, 60.0, 120),
        (2, 1000.0, 1),
        (2, 0.5, 60),
    ],
)
def test_a_clip_spans_its_time(num_frames: int, fps: float, length: int) -> None:
    assert clip_length(lifted(), num_frames=num_frames, fps=fps, mocap_fps=30) == length
    last = propose(lifted(), num_frames, fps)[-1].start_frame
    assert FRAMES - 1 - length - 3 < last <= FRAMES - 1 - length


@pytest.mark.parametrize("fps", [12.0, 12.5, 23.976, 29.97, 60.0, 120.0])
def test_mocap_is_resampled_by_time_and_never_squeezed(fps: float) -> None:
    """A box that moves at 0.3 m/s does so at any rate of the video."""
    poses = np.stack([pose(0.01 * frame, 0, 1.0) for frame in range(FRAMES)])
    sequence = sequence_of({"box": (BOX, poses)}, poses[:, :3])
    handover = take_clip(spec_of(sequence, start_s=1.1, num_frames=31, fps=fps), sequence, 30.0)
    expected = 0.3 * (1.1 + np.arange(31) / fps)
    np.testing.assert_allclose(handover.factual.of("box")[:, 0], expected, atol=1e-9)
    np.testing.assert_allclose(handover.factual.linear_velocity[:, 0, 0], 0.3, atol=1e-9)
    np.testing.assert_allclose(handover.people["Armature"][:, 0, 0], expected, atol=1e-5)


def test_a_clip_longer_than_the_sequence_names_both() -> None:
    with pytest.raises(DataError, match=r"lasts 4\.97 s .* clip of 85 frames .* lasts 7\.00 s.*num_frames=60 fits"):
        propose(lifted(), num_frames=85)
    with pytest.raises(DataError, match=r"lasts 10\.00 s; ask for a higher clips\.fps"):
        propose(lifted(), num_frames=2, fps=0.1)


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(fps: float) -> None:
    with pytest.raises(SpecError, match="rate above 0"):
        propose(lifted(), fps=fps)
    with pytest.raises(ConfigError, match="mocap_fps"):
        propose_clips(lifted(), num_frames=24, fps=12.0, mocap_fps=fps)
