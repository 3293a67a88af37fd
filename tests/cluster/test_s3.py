"""A run at an s3:// address, with a real S3 server on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from benchmarks.chaos import datagen, run_command, shard_hashes
from datagen.codec import sha256_file
from datagen.runs import RunFolder
from datagen.storage import Remote
from tests.cluster.conftest import KEYS, SCENES

pytestmark = [pytest.mark.blender, pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore")]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_folder_without_its_marker_is_not_there(s3: Path, tmp_path: Path) -> None:
    remote = Remote(url="s3://data/markers")
    made = tmp_path / "made"
    (made / "deep").mkdir(parents=True)
    (made / "a").write_bytes(b"a" * 1000)
    (made / "deep" / "b").write_bytes(b"")
    remote.push(made, "samples", "one")
    remote.put(made / "a", "samples/torn/a")
    assert remote.finished("samples") == {"one"} and not remote.has("samples", "torn")
    remote.pull("samples", "one", tmp_path / "back")
    assert (tmp_path / "back" / "a").read_bytes() == b"a" * 1000 and (tmp_path / "back" / "deep" / "b").is_file()
    assert remote.create("lock", b"1") and not remote.create("lock", b"2") and remote.read("lock") == b"1"
    remote.remove("samples", "one")
    assert remote.finished("samples") == set() and remote.read("samples/one/a") is None


def test_a_run_in_a_bucket_has_the_bytes_of_one_on_disk_and_resumes(
    s3: Path, tiny_data: Path, quiet_run: Path, tmp_path: Path
) -> None:
    url = "s3://data/runs/first"
    command = run_command(tiny_data, Path("placeholder"), SCENES, "off")
    command[command.index("placeholder")] = url
    with (tmp_path / "log").open("wb") as log:
        driver = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            remote, deadline = Remote(url=url), time.monotonic() + 300
            while not remote.finished("physics") and time.monotonic() < deadline:
                assert driver.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.2)
            second = run(datagen("pack", url))
            assert second.returncode == 2 and "in use by another driver" in second.stderr
        finally:
            driver.kill()
            driver.wait()
    result = run(command)
    assert result.returncode == 0, result.stderr
    assert f"{url}/shards" in result.stdout
    assert not [path for path in s3.rglob("*") if path.is_file()]  # desks are cleared

    status = json.loads(run(datagen("status", url, "--json")).stdout)
    assert status["planned"] == status["packed"] == SCENES and status["root"] == url
    assert "nothing left to do" in run(command).stderr

    fetched = run(datagen("fetch", url, tmp_path / "fetched"))
    assert fetched.returncode == 0, fetched.stderr
    assert shard_hashes(tmp_path / "fetched") == shard_hashes(quiet_run)
    assert RunFolder(root=tmp_path / "fetched").keys() == RunFolder(root=quiet_run).keys()
    for sample in RunFolder(root=quiet_run).sample_paths():
        files = {path.name: sha256_file(path) for path in sample.iterdir()}
        assert files == {
            path.name: sha256_file(path) for path in (tmp_path / "fetched/samples" / sample.name).iterdir()
        }


def test_what_is_missing_is_one_line(s3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = {"s3://nowhere/run": "s3://nowhere/run", "nope://data/run": "nope"}
    for address, told in cases.items():
        result = run(datagen("status", address))
        assert result.returncode == 2 and told in result.stderr and "Traceback" not in result.stderr, result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
    for name in KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", os.devnull)
    result = run(datagen("status", "s3://data/run"))
    assert result.returncode == 2, result.stderr
    (line,) = result.stderr.strip().splitlines()
    assert "no credentials found" in line and "AWS_ACCESS_KEY_ID" in line
