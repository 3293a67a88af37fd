"""How fast a gallery of many samples opens, and the memory it takes before and after a clip is opened.

.venv/bin/python benchmarks/gallery_open.py RUN [--samples 200] [--loads 5]

The samples of RUN are repeated under other keys until there are as many as asked for. The page is opened from disk in
Debian's Chromium, each time in a browser that was just started. Time: from the start of the navigation until the list
is drawn and every still in the window is decoded. Memory: JavaScript's heap, and the private memory (USS) of the
process that holds the page, beside that of an empty page in the same browser.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import psutil
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from datagen.codec import write_json
from datagen.errors import UserError
from datagen.runs import RUN_FILE, RunFolder
from datagen.sample import METADATA, read_sample
from datagen.web_gallery import write_gallery

WINDOW = (1280, 900)
WAIT_S = 120
MIB = 2**20
OPENED = """
const seen = image => image.getBoundingClientRect().top < innerHeight;
const shown = [...document.querySelectorAll('.card img')].filter(seen);
if (!shown.length || !shown.every(image => image.complete && image.naturalWidth)) return null;
const [load] = performance.getEntriesByType('navigation');
const stills = performance.getEntriesByType('resource').map(one => one.responseEnd);
const paint = performance.getEntriesByName('first-contentful-paint')[0];
return paint && load.loadEventEnd ? {ms: Math.max(load.loadEventEnd, paint.startTime, ...stills), stills: shown.length,
    cards: document.querySelectorAll('.card').length} : null;
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Opening:
    """One load of the page."""

    milliseconds: float
    cpu_s: float  # of the page's process until then, its start included
    heap_mib: float
    empty_mib: float  # private memory of the page's process, with about:blank
    list_mib: float  # the same with the page
    clip_mib: float  # the same with a clip open and playing


def repeat_run(run: RunFolder, root: Path, count: int) -> RunFolder:
    """A run folder of `count` samples, which are those of another under other keys."""
    samples = run.sample_paths()
    if not samples:
        raise UserError(f"{run.root} holds no finished sample")
    copy = RunFolder(root=root)
    (root / "samples").mkdir(parents=True)
    shutil.copy(run.root / RUN_FILE, root / RUN_FILE)
    for number, sample in enumerate(islice(cycle(samples), count)):
        key = f"{sample.name}-{number:04d}"
        target = copy.folder("compose", key)
        shutil.copytree(sample, target, copy_function=os.link)
        (target / METADATA).unlink()
        write_json(target / METADATA, dataclasses.replace(read_sample(sample).metadata, key=key))
    return copy


@contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """Chromium without a window, just started."""
    options = Options()
    options.binary_location = shutil.which("chromium") or "chromium"
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        f"--window-size={WINDOW[0]},{WINDOW[1]}",
    ):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def page_process(driver: webdriver.Chrome) -> psutil.Process:
    """The process that holds the page: the largest of those that draw pages."""
    children = psutil.Process(driver.service.process.pid).children(recursive=True)
    drawing = [one for one in children if "--type=renderer" in one.cmdline()]
    return max(drawing, key=lambda one: one.memory_full_info().uss)


def page_mib(driver: webdriver.Chrome) -> float:
    """Private memory of the page's process [MiB], after its garbage is collected."""
    driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    return float(page_process(driver).memory_full_info().uss / MIB)


def open_page(page: Path) -> Opening:
    """Open the page, look, open its first clip and let it play."""
    with browser() as driver:
        driver.get("about:blank")
        empty = page_mib(driver)
        driver.get(page.resolve().as_uri())
        wait = WebDriverWait(driver, WAIT_S, 0.02)
        found = wait.until(lambda one: one.execute_script(OPENED))
        times = page_process(driver).cpu_times()
        heap = driver.execute_script("return performance.memory.usedJSHeapSize") / MIB
        listed = page_mib(driver)
        driver.execute_script("document.querySelector('.card a').click()")
        wait.until(lambda one: one.execute_script("return document.querySelector('.player')?.dataset.state") == "ready")
        driver.execute_script("document.querySelector('.play').click()")
        time.sleep(2)
        return Opening(
            milliseconds=found["ms"],
            cpu_s=times.user + times.system,
            heap_mib=heap,
            empty_mib=empty,
            list_mib=listed,
            clip_mib=page_mib(driver),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--loads", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.run.resolve().parent) as scratch:  # beside it, for hard links
        many = repeat_run(RunFolder(root=arguments.run), Path(scratch) / "many", arguments.samples)
        cpu_s = time.process_time()
        report = write_gallery(many.root, Path(scratch) / "gallery.html", os.cpu_count() or 1)
        cpu_s = time.process_time() - cpu_s
        size = sum(path.stat().st_size for path in Path(scratch, "gallery_files").rglob("*") if path.is_file())
        openings = [open_page(report.page) for _ in range(arguments.loads)]
        html = report.page.stat().st_size
    each_cpu_s, each_kb = cpu_s / report.samples, size / report.samples / 1e3
    print(f"{report.samples} samples, made in {each_cpu_s:.2f} CPU-s each; {each_kb:.0f} kB each on disk")
    print(f"page {html / 1e3:.0f} kB; {arguments.loads} loads, median (worst):")
    for title, values, unit in (
        ("opens in", [one.milliseconds for one in openings], "ms"),
        ("CPU of the page's process", [one.cpu_s for one in openings], "s"),
        ("JavaScript heap", [one.heap_mib for one in openings], "MiB"),
        ("page's process, empty page", [one.empty_mib for one in openings], "MiB"),
        ("page's process, list", [one.list_mib for one in openings], "MiB"),
        ("page's process, a clip playing", [one.clip_mib for one in openings], "MiB"),
    ):
        print(f"{title:32} {statistics.median(values):7.2f} ({max(values):.2f}) {unit}")


if __name__ == "__main__":
    main()
