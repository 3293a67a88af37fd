"""The torch dataset from a bucket of a real S3 server on this machine."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.utils.data import DataLoader

from datagen.errors import DataError
from datagen.loader import PairDataset
from datagen.runs import RunFolder
from datagen.storage import Remote
from tests.datagen.packed_run import make_packed_run

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_packed_run(tmp_path_factory.mktemp("loader") / "run", 7, 2)


def publish(run: RunFolder, address: str) -> None:
    for path in run.shards.iterdir():
        Remote(url=address).put(path, f"shards/{path.name}")


def key_and_frame(pair: dict[str, Any]) -> tuple[str, bytes]:
    return pair["key"], np.asarray(pair["rgb_removed"][-1]).tobytes()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bucket_gives_what_the_folder_gives(s3: Path, run: RunFolder, workers: int) -> None:
    address = f"s3://data/loader-{workers}"
    publish(run, address)
    remote, local = (PairDataset(data, transform=key_and_frame) for data in (address, run.root))
    assert list(DataLoader(remote, batch_size=None, num_workers=workers)) == list(
        DataLoader(local, batch_size=None, num_workers=workers)
    )
    assert not [path for path in s3.rglob("*") if path.is_file()]  # copies are gone
    state = local.state_after(3, batch_size=2, num_workers=workers)
    remote.load_state_dict(state)
    local.load_state_dict(state)
    assert list(DataLoader(remote, batch_size=2, num_workers=workers, collate_fn=list)) == list(
        DataLoader(local, batch_size=2, num_workers=workers, collate_fn=list)
    )


def test_what_is_missing_or_torn_in_a_bucket_is_one_line(s3: Path, run: RunFolder) -> None:
    with pytest.raises(DataError, match=r"s3://data/nothing: no index\.json"):
        PairDataset("s3://data/nothing")
    publish(run, "s3://data/torn")
    remote = Remote(url="s3://data/torn")
    contents = remote.read("shards/humoto-000001.tar")
    assert contents
    remote.write("shards/humoto-000001.tar", contents[:1000])
    remote.delete("shards/humoto-000002.tar")
    dataset = PairDataset("s3://data/torn", shuffle=False, transform=key_and_frame)
    with pytest.raises(DataError, match=r"s3://data/torn/shards/humoto-000001\.tar: torn: expected \d+ bytes"):
        list(dataset)
    skipping = PairDataset("s3://data/torn", on_torn="skip", transform=key_and_frame)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(list(skipping)) == 3
    told = " ".join(str(warning.message) for warning in caught)
    assert "humoto-000001.tar" in told and "humoto-000002.tar: no such shard" in told
