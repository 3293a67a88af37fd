"""Pages in a real browser: Debian's Chromium, without a window, on files of this disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_page import Page
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from datagen.codec import write_json
from datagen.config import resolve_config
from datagen.runs import RunFolder, append_row, open_run
from datagen.sample import compose_sample
from datagen.web_gallery import write_gallery
from tests.datagen import synthetic
from tests.inference.tiny_evalset import make_evalset

INJECTED = "</script><script>document.title = 'injected'</script><b>bold</b>"
NUM_FRAMES = 9


def _chromium() -> tuple[str, str]:
    """Browser and driver; skips where they are absent, or fails where they must not be."""
    browser, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if browser and driver:
        return browser, driver
    message = "Chromium not found: apt-get install chromium chromium-driver"
    if os.environ.get("VOIDGEN_REQUIRE_BROWSER"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def driver() -> Iterator[webdriver.Chrome]:
    browser, chromedriver = _chromium()
    options = Options()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--mute-audio"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = Service(chromedriver)
    opened = webdriver.Chrome(options=options, service=service)
    yield opened
    opened.quit()


@pytest.fixture
def page(driver: webdriver.Chrome) -> Page:
    return Page(driver)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Three samples, one of them damaged, a rejected scene and a failed one."""
    root = tmp_path_factory.mktemp("browser") / "run"
    folder = open_run(root, source="humoto", data=root, limit=None, config=resolve_config("preview"), versions={})
    for seed, key in enumerate(("alpha", "beta", "damaged", "gamma")):
        scene = synthetic.make_scene(root, synthetic.make_spec(key, num_frames=NUM_FRAMES, seed=seed))
        write_json(folder.spec_path(key), scene.spec)
        compose_sample(scene.spec, scene.physics, scene.render, folder.folder("compose", key), {})
    (folder.folder("compose", "damaged") / "rgb_full.mp4").write_bytes(b"not a video")
    check = {"name": "penetration_max", "value": 31.0, "limit": 8.0, "unit": "mm", "passed": False, "note": "box"}
    row = {"key": "sunken", "stage": "simulate", "message": f"sunken: the box sinks {INJECTED}"}
    append_row(folder.rejected, row | {"details": {"measured": [check], "checks": {"penetration_max": "31 mm"}}})
    append_row(
        folder.failures, {"key": "crashed", "stage": "render", "message": "crashed: exit code -9", "details": {}}
    )
    return folder


@pytest.fixture(scope="session")
def gallery(run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    report = write_gallery(run.root, tmp_path_factory.mktemp("pages") / "a gallery #1.html")
    assert (report.samples, report.rejected, report.failed, len(report.broken)) == (3, 1, 1, 1)
    return report.page


@pytest.fixture(scope="session")
def report_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation of two clips: bounds, and predictions of which one is the truth and one is missing."""
    root = tmp_path_factory.mktemp("report")
    evalset = make_evalset(root / "set")
    mine = root / "mine"
    mine.mkdir()
    shutil.copy(evalset / "ground_truth" / "falling_a" / "rgb_removed.mp4", mine / "falling_a.mp4")
    command = [
        sys.executable,
        "-m",
        "inference",
        "evaluate",
        "--data",
        evalset,
        "--out",
        root / "out",
        "--workers",
        "1",
    ]
    options = [
        "--rows",
        "identity,hidden",
        "--metrics",
        "margin,physics_iq,trajectory",
        "--predictions",
        f"mine={mine}",
    ]
    arguments = [str(part) for part in [*command, *options, "--compare", "mine", "hidden"]]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=280)
    assert result.returncode == 0, result.stderr
    return root / "out" / "report.html"
