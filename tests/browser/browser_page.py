"""A page in a browser, and what a test asks of it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

WAIT_S = 60  # an upper bound only: nothing waits longer than it takes
DESKTOP, PHONE = (1280, 900), (360, 740)


class Page:
    """A page that is open."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, path: Path, fragment: str = "", size: tuple[int, int] = DESKTOP) -> None:
        """Load a file afresh, in a window of this size; a narrow one is a phone."""
        self.driver.get("about:blank")
        self.driver.get_log("performance")
        self.driver.get_log("browser")
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.get(path.resolve().as_uri() + fragment)

    def all(self, selector: str) -> list[WebElement]:
        """Elements that are shown."""
        return [one for one in self.driver.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed()]

    def one(self, selector: str) -> WebElement:
        """The first element that is shown; waits for it."""
        return self.until(lambda: next(iter(self.all(selector)), None), selector)

    def button(self, text: str) -> WebElement:
        """A button with this text."""
        return self.until(lambda: next((one for one in self.all("button") if one.text == text), None), text)

    def until(self, ask: Callable[[], object], what: str = "") -> object:
        """What a question answers, once that is true."""
        return WebDriverWait(self.driver, WAIT_S, 0.05).until(lambda _: ask(), f"waited for {what}")

    def run(self, code: str, *arguments: object) -> object:
        """What a piece of JavaScript returns."""
        return self.driver.execute_script(code, *arguments)

    def press(self, *keys: str) -> None:
        """Keys, to what has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def focused(self) -> str:
        """Text, label or tag of what has the focus."""
        node = self.driver.switch_to.active_element
        return node.text or node.get_attribute("aria-label") or node.tag_name

    def frame(self) -> int:
        """Frame that the player shows."""
        return int(self.one(".player").get_attribute("data-frame"))

    def wait_for_frame(self, frame: int) -> None:
        self.until(lambda: self.frame() == frame, f"frame {frame}")

    def wait_for_player(self) -> None:
        self.until(lambda: self.one(".player").get_attribute("data-state") == "ready", "the player")

    def picture(self, pane: str, width: int, height: int) -> np.ndarray:
        """A pane as it is seen, float [height, width, 3]; its label is in it."""
        canvas = self.one(f"[data-pane='{pane}'] canvas")
        self.run("arguments[0].scrollIntoView({block: 'center'})", canvas)
        image = Image.open(io.BytesIO(canvas.screenshot_as_png)).convert("RGB")
        return np.asarray(image.resize((width, height), Image.Resampling.BOX), dtype=np.float64)

    def requests(self) -> list[str]:
        """Addresses that were asked for since the page was opened."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        sent = (one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent")
        return [url for url in sent if url != "about:blank"]

    def complaints(self) -> list[str]:
        """Errors and warnings on the console."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def overflow(self) -> int:
        """Pixels by which the page, or an open clip, is wider than the window."""
        return int(
            self.run(
                "const body = document.querySelector('dialog[open] .body');"
                "return Math.max(document.documentElement.scrollWidth, body ? body.scrollWidth : 0) - innerWidth"
            )
        )
