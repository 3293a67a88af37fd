"""The torch dataset: every sample once, the same order again, resumed exactly, what was composed, damage named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from datagen.errors import ConfigError, DataError
from datagen.loader import PairDataset, collate_pairs
from datagen.quadmask import Form, Policy, in_form
from datagen.runs import RunFolder
from datagen.sample import MASK, METADATA, RGB_FULL, RGB_REMOVED, mask_of
from datagen.shards import INDEX_FILE
from datagen.video import decode_mask, decode_rgb
from tests.datagen.packed_run import make_packed_run

SAMPLES, PER_SHARD = 11, 3


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_packed_run(tmp_path_factory.mktemp("loader") / "run", SAMPLES, PER_SHARD)


@pytest.fixture
def shards(run: RunFolder, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run.shards, tmp_path / "shards"))


def only_key(pair: dict[str, Any]) -> str:
    return str(pair["key"])


def keys_of(dataset: PairDataset, workers: int) -> list[str]:
    return list(DataLoader(dataset, batch_size=None, num_workers=workers))


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_an_epoch_has_every_sample_once(run: RunFolder, ranks: int, workers: int) -> None:
    parts = []
    for rank in range(ranks):
        dataset = PairDataset(run.root, rank=rank, world_size=ranks, transform=only_key)
        parts.append(keys_of(dataset, workers))
        assert len(parts[-1]) == dataset.num_samples
    assert sorted(key for part in parts for key in part) == [path.name for path in run.sample_paths()]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_more_readers_than_shards_or_samples(run: RunFolder) -> None:
    keys = []
    for rank in range(SAMPLES + 4):
        keys += keys_of(PairDataset(run.root, rank=rank, world_size=SAMPLES + 4, transform=only_key), 0)
    assert sorted(keys) == [path.name for path in run.sample_paths()]


def test_drop_uneven_gives_all_ranks_equally_many_and_leaves_others_out_each_epoch(run: RunFolder) -> None:
    dropped = set()
    for epoch in range(6):
        parts = []
        for rank in range(4):
            dataset = PairDataset(run.root, rank=rank, world_size=4, drop_uneven=True, transform=only_key)
            dataset.set_epoch(epoch)
            parts.append(keys_of(dataset, 0))
        assert [len(part) for part in parts] == [2, 2, 2, 2]
        dropped |= {path.name for path in run.sample_paths()} - {key for part in parts for key in part}
    assert len(dropped) > 3


@pytest.mark.parametrize("workers", [0, 2])
def test_order_follows_from_seed_and_epoch(run: RunFolder, workers: int) -> None:
    def order(seed: int, epoch: int, shuffle: bool = True) -> list[str]:
        dataset = PairDataset(run.root, seed=seed, shuffle=shuffle, transform=only_key)
        dataset.set_epoch(epoch)
        return keys_of(dataset, workers)

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4
    assert order(0, 0, shuffle=False) == order(1, 1, shuffle=False)
    if not workers:
        assert order(0, 0, shuffle=False) == [path.name for path in run.sample_paths()]


def test_workers_that_are_kept_hear_of_the_epoch(run: RunFolder) -> None:
    dataset = PairDataset(run.root, transform=only_key)
    loader = DataLoader(dataset, batch_size=None, num_workers=2, persistent_workers=True)
    first = list(loader)
    dataset.set_epoch(1)
    second = list(loader)
    assert sorted(first) == sorted(second) and first != second
    fresh = PairDataset(run.root, transform=only_key)
    fresh.set_epoch(1)
    assert second == keys_of(fresh, 2)


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_a_plain_dataloader_goes_on_exactly(run: RunFolder, workers: int, batch_size: int) -> None:
    def loader_of(dataset: PairDataset) -> DataLoader:
        return DataLoader(dataset, batch_size=batch_size, num_workers=workers, collate_fn=list)

    def fresh() -> PairDataset:
        return PairDataset(run.root, seed=5, transform=only_key)

    whole_dataset = fresh()
    whole_dataset.set_epoch(3)
    whole = list(loader_of(whole_dataset))
    for done in (1, len(whole) - 1, len(whole)):
        state = json.loads(
            json.dumps(whole_dataset.state_after(done, batch_size=batch_size, num_workers=workers))
        )  # as a checkpoint keeps it
        resumed = fresh()
        resumed.load_state_dict(state)
        assert resumed.epoch == 3
        assert list(loader_of(resumed)) == whole[done:], done
    resumed.set_epoch(4)
    whole_dataset.set_epoch(4)
    assert list(loader_of(resumed)) == list(loader_of(whole_dataset))


def test_state_dict_without_workers_and_the_pass_after_it(run: RunFolder) -> None:
    dataset = PairDataset(run.root, transform=only_key)
    whole = list(dataset)
    reading = iter(dataset)
    head = [next(reading) for _ in range(4)]
    resumed = PairDataset(run.root, transform=only_key)
    resumed.load_state_dict(dataset.state_dict())
    assert head + list(resumed) == whole
    assert list(resumed) == whole


@pytest.mark.parametrize("workers", [0, 2])
def test_torchdatas_stateful_dataloader_goes_on_exactly(run: RunFolder, workers: int) -> None:
    def loader() -> StatefulDataLoader:
        dataset = PairDataset(run.root, transform=only_key)
        return StatefulDataLoader(dataset, batch_size=2, num_workers=workers, collate_fn=list)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchdata's own
        whole = list(loader())
        interrupted = loader()
        reading = iter(interrupted)
        head = [next(reading) for _ in range(3)]
        state = interrupted.state_dict()
        del reading
        resumed = loader()
        resumed.load_state_dict(state)
        assert head + list(resumed) == whole


def test_a_state_of_other_data_or_readers_is_refused(run: RunFolder, tmp_path: Path) -> None:
    state = PairDataset(run.root).state_dict()
    other = make_packed_run(tmp_path / "other", 3, 2)
    for dataset, told in (
        (PairDataset(other.root), "'data' was"),
        (PairDataset(run.root, seed=1), "'seed' was 0"),
        (PairDataset(run.root, rank=0, world_size=2), "'world_size' was 1"),
    ):
        with pytest.raises(ConfigError, match=told):
            dataset.load_state_dict(state)
    two = PairDataset(run.root)
    two.load_state_dict(two.state_after(1, batch_size=1, num_workers=2))
    with pytest.raises(ConfigError, match="saved with 2 readers"):
        list(two)
    list(DataLoader(two, batch_size=None, num_workers=1))
    with pytest.raises(ConfigError, match="state_after"):
        two.state_dict()
    with pytest.raises(ConfigError, match="on_torn"):
        PairDataset(run.root, on_torn="skip").state_after(1, batch_size=1, num_workers=2)


def test_pairs_are_what_was_composed(run: RunFolder) -> None:
    for pair in PairDataset(run.root):
        sample = run.folder("compose", pair["key"])
        metadata = json.loads((sample / METADATA).read_text())
        assert all(pair[name].dtype == torch.uint8 for name in ("rgb_full", "rgb_removed", "quadmask"))
        assert np.array_equal(pair["rgb_full"], decode_rgb(sample / RGB_FULL))
        assert np.array_equal(pair["rgb_removed"], decode_rgb(sample / RGB_REMOVED))
        assert np.array_equal(pair["quadmask"], decode_mask(sample / MASK))
        assert np.array_equal(pair["quadmask"], mask_of(sample, Policy.VOID))
        assert pair["caption"] == metadata["caption"] and pair["metadata"] == metadata
        assert pair["rgb_full"].shape == (2, 64, 96, 3) and pair["quadmask"].shape == (2, 64, 96)


@pytest.mark.parametrize("policy", ["void", "effects"])
@pytest.mark.parametrize("form", ["quad", "binary", "trimask", "grid"])
def test_masks_of_any_policy_and_form(run: RunFolder, policy: str, form: str) -> None:
    pair = next(iter(PairDataset(run.root, policy=policy, form=form)))
    expected = in_form(mask_of(run.folder("compose", pair["key"]), Policy(policy)), Form(form))
    assert np.array_equal(pair["quadmask"], expected)


def test_policies_differ_in_the_fixture(run: RunFolder) -> None:
    sample = run.sample_paths()[0]
    assert not np.array_equal(mask_of(sample, Policy.VOID), mask_of(sample, Policy.EFFECTS))


def test_a_batch_stacks_videos_and_lists_the_rest(run: RunFolder) -> None:
    batch = next(iter(DataLoader(PairDataset(run.root), batch_size=2, collate_fn=collate_pairs)))
    assert batch["rgb_full"].shape == (2, 2, 64, 96, 3) and batch["quadmask"].shape == (2, 2, 64, 96)
    assert len(batch["caption"]) == len(batch["metadata"]) == 2
    odd = [{"rgb_full": torch.zeros(1, 2)}, {"rgb_full": torch.zeros(1, 3)}]
    with pytest.raises(DataError, match="crop or resize"):
        collate_pairs(odd)


def test_ranks_come_from_the_environment(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    dataset = PairDataset(run.root)
    assert (dataset.rank, dataset.world_size) == (1, 2)
    monkeypatch.setenv("RANK", "2")
    with pytest.raises(ConfigError, match="expected 0 to 1"):
        PairDataset(run.root)
    monkeypatch.setenv("RANK", "x")
    with pytest.raises(ConfigError, match="RANK"):
        PairDataset(run.root)
    with pytest.raises(ConfigError, match="both"):
        PairDataset(run.root, rank=0)


def keys_of_a_rank(rank: int, world_size: int, run: Path, store: Path, out: Path) -> None:
    """What one process of torch.distributed reads, written to a file."""
    address = f"file://{store}"
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=world_size)
    try:
        keys = list(PairDataset(run, transform=only_key))
        (out / f"{rank}.json").write_text(json.dumps(keys))
    finally:
        torch.distributed.destroy_process_group()


def test_ranks_of_torch_distributed(run: RunFolder, tmp_path: Path) -> None:
    torch.multiprocessing.spawn(keys_of_a_rank, (2, run.root, tmp_path / "store", tmp_path), nprocs=2)
    parts = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert sorted(parts[0] + parts[1]) == [path.name for path in run.sample_paths()]
    for rank, part in enumerate(parts):
        assert part == list(PairDataset(run.root, rank=rank, world_size=2, transform=only_key))


def test_spawned_workers_read_what_forked_ones_do(run: RunFolder) -> None:
    dataset = PairDataset(run.root, transform=only_key)
    spawned = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context="spawn")
    assert list(spawned) == keys_of(dataset, 2)


def test_several_folders_and_a_folder_of_shards(run: RunFolder, tmp_path: Path) -> None:
    assert keys_of(PairDataset(run.shards, transform=only_key), 0) == keys_of(
        PairDataset([str(run.root)], transform=only_key), 0
    )
    with pytest.raises(DataError, match="occurs twice"):
        PairDataset([run.root, run.shards])


@pytest.fixture(params=["cut", "short", "gone", "garbage"])
def torn(request: pytest.FixtureRequest, shards: Path) -> Path:
    """Shards of which the second is damaged in some way."""
    path = shards / "humoto-000001.tar"
    contents = path.read_bytes()
    if request.param == "cut":
        path.write_bytes(contents[: len(contents) // 2])
    elif request.param == "short":
        path.write_bytes(contents[:-512])
    elif request.param == "gone":
        path.unlink()
    else:
        path.write_bytes(b"x" * len(contents))
    return path


def test_a_torn_shard_is_named_and_skipped_only_when_asked(torn: Path) -> None:
    with pytest.raises(DataError, match=r"humoto-000001\.tar: .*pack the run again"):
        list(PairDataset(torn.parent))
    dataset = PairDataset(torn.parent, on_torn="skip", transform=only_key)
    with pytest.warns(RuntimeWarning, match=r"skipped: .*humoto-000001\.tar"):
        keys = list(dataset)
    lost = next(
        entry["keys"]
        for entry in json.loads((torn.parent / INDEX_FILE).read_text())["shards"]
        if entry["file"] == torn.name
    )
    assert len(keys) == SAMPLES - PER_SHARD and not set(lost) & set(keys)


@pytest.mark.filterwarnings("ignore")
def test_a_torn_shard_is_named_from_a_worker_too(shards: Path) -> None:
    (shards / "humoto-000001.tar").unlink()
    with pytest.raises(DataError, match=r"humoto-000001\.tar"):
        keys_of(PairDataset(shards, transform=only_key), 2)


def test_a_damaged_video_is_named_with_shard_and_sample(shards: Path) -> None:
    path = shards / "humoto-000000.tar"
    contents = bytearray(path.read_bytes())
    start = contents.index(b"sample-001.rgb_full.mp4") + 512
    contents[start : start + 2000] = bytes(2000)
    path.write_bytes(contents)
    with pytest.raises(DataError, match=r"rgb_full.*humoto-000000\.tar.*sample-001"):
        list(PairDataset(shards))
    with pytest.warns(RuntimeWarning, match="sample-001"):
        assert len(list(PairDataset(shards, on_torn="skip"))) == SAMPLES - 1


def test_a_policy_without_layers_is_a_clear_error(run: RunFolder, tmp_path: Path) -> None:
    bare = make_packed_run(tmp_path / "bare", 1, 1)
    shutil.rmtree(bare.shards)
    (sample,) = bare.sample_paths()
    record = json.loads((sample / METADATA).read_text())
    del record["files"]["layers.npz"]
    (sample / METADATA).write_text(json.dumps(record))
    from datagen.shards import write_shards

    write_shards([sample], bare.shards, "humoto", 1)
    assert len(list(PairDataset(bare.root, form="binary", policy="void"))) == 1
    for on_torn in ("raise", "skip"):  # it is not damage
        with pytest.raises(DataError, match=r"no layers\.npz.*policy 'effects'"):
            list(PairDataset(bare.root, policy="effects", on_torn=on_torn))


def test_bad_settings_are_one_line(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (run.root, {"policy": "viod"}, "unknown mask policy 'viod'; did you mean 'void'?"),
        (run.root, {"form": "quat"}, "unknown form of mask 'quat'; did you mean 'quad'?"),
        (run.root, {"on_torn": "skp"}, "on_torn: no 'skp'; did you mean 'skip'?"),
        (run.root, {"shuffle_shards": 0}, "expected at least 1, found 0"),
        (tmp_path / "empty", {}, "no index.json"),
        (tmp_path / "nowhere", {}, "no index.json"),
        ([], {}, "no samples"),
    ]
    for data, settings, told in cases:
        with pytest.raises((ConfigError, DataError)) as caught:
            PairDataset(data, **settings)
        assert told in str(caught.value) and "\n" not in str(caught.value)


def test_without_torch_the_extra_is_named() -> None:
    code = "import sys; sys.modules['torch'] = None\nimport datagen.loader"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1 and "pip install 'voidgen[train]'" in result.stderr.splitlines()[-1]


@pytest.fixture(autouse=True)
def no_left_over_warnings() -> Iterator[None]:
    """DataLoader advises fewer workers on small machines; that is no concern of these tests."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        yield
