"""A headless Chromium, driven over a pipe with its DevTools protocol: what people will see.

Messages are JSON with a zero octet at the end, written to the browser's descriptor 3 and read from
its descriptor 4. The browser gets a profile of its own and reaches nothing but loopback addresses.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

SECONDS = 60.0
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pings",
    "--mute-audio",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def find() -> str:
    """The program; the test is skipped where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if (path := shutil.which(name)) is not None:
            return path
    pytest.skip("chromium is not installed")


class Browser:
    """One browser with one tab."""

    def __init__(self, folder: Path) -> None:
        self.events: list[dict[str, Any]] = []
        self._number = 0
        self._session = ""
        self._buffer = b""
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        program = [find(), *FLAGS, f"--user-data-dir={folder / 'profile'}"]
        if os.geteuid() == 0:
            program.append("--no-sandbox")  # its sandbox refuses to start for root

        def wire() -> None:
            # Above what is overwritten first, so that neither end closes the other.
            ends = os.dup(to_browser), os.dup(from_browser)
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self._process = subprocess.Popen(
            [*program, "about:blank"],
            preexec_fn=wire,  # noqa: PLW1509 - only system calls between fork and exec
            close_fds=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
        )
        os.close(to_browser)
        os.close(from_browser)

    def __enter__(self) -> Self:
        made = self.call("Target.createTarget", url="about:blank")
        attached = self.call("Target.attachToTarget", targetId=made["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime", "Accessibility"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._out)
        os.close(self._in)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its result; events on the way are kept."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == self._number:
                assert "error" not in found, found
                result: dict[str, Any] = found["result"]
                return result

    def wait(self, event: str) -> dict[str, Any]:
        """The next event of this kind that has not been waited for."""
        while True:
            for at, found in enumerate(self.events):
                if found["method"] == event:
                    del self.events[at]
                    return found
            self._next()

    def _next(self) -> dict[str, Any]:
        ends = time.monotonic() + SECONDS
        while b"\0" not in self._buffer:
            left = ends - time.monotonic()
            assert left > 0, "the browser says nothing"
            if select.select([self._in], [], [], left)[0]:
                data = os.read(self._in, 1 << 20)
                assert data, "the browser has ended"
                self._buffer += data
        line, self._buffer = self._buffer.split(b"\0", 1)
        found: dict[str, Any] = json.loads(line)
        if "method" in found:
            self.events.append(found)
        return found

    def look(
        self, width: int, height: int = 900, scheme: str = "light", media: str = "screen"
    ) -> None:
        """From now on: a screen of this width, with this preference, for screen or print."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)

    def open(self, url: str, headers: dict[str, str] | None = None) -> None:
        """Load a page and wait until it is there."""
        self.call("Network.setExtraHTTPHeaders", headers=headers or {})
        self.events.clear()
        gone = self.call("Page.navigate", url=url)
        assert "errorText" not in gone, gone
        self.wait("Page.loadEventFired")

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def paper(self, path: Path) -> None:
        """The page as it is printed, A4."""
        self.call("Emulation.setEmulatedMedia", media="")
        made = self.call(
            "Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=True,
            preferCSSPageSize=False,
        )  # fmt: skip
        path.write_bytes(base64.b64decode(made["data"]))

    def complaints(self) -> list[str]:
        """What the browser has written to its console: policies that were broken, and the like."""
        return [
            str(event["params"]["entry"]["text"])
            for event in self.events
            if event["method"] == "Log.entryAdded"
        ]

    def requests(self) -> list[str]:
        """Addresses that were asked for since the page was opened."""
        return [
            str(event["params"]["request"]["url"])
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]
