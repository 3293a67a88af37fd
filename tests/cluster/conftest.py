"""One tiny sequence, and a run of its scenes that nobody disturbed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from benchmarks.chaos import demo_sequence, run_command

SCENES = 4
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One acted sequence."""
    return demo_sequence(tmp_path_factory.mktemp("demo") / "data")


@pytest.fixture(scope="session")
def quiet_run(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of tiny scenes by plain processes."""
    root = tmp_path_factory.mktemp("quiet") / "run"
    subprocess.run(run_command(tiny_data, root, SCENES, "off"), check=True, capture_output=True)
    return root


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Address of an S3 server with an empty bucket named data.

    One for all modules of a process, because fsspec keeps its connections. It runs in a thread and binds a port of
    the kernel's choice: no other program can take the port in between.
    """
    s3_server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    s3_server.start()
    try:
        host, port = s3_server.get_host_and_port()
        address = f"http://{host}:{port}"
        names = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=address, **names).create_bucket(Bucket="data")
        yield address
    finally:
        s3_server.stop()


@pytest.fixture
def s3(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment that reaches the server, with a scratch folder of its own."""
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": server, "FSSPEC_S3_ENDPOINT_URL": server}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("VOIDGEN_SCRATCH", str(tmp_path / "scratch"))
    return tmp_path / "scratch"
