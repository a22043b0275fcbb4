"""Browsers that are not Chromium, on a screen that nobody sees: WebKitGTK and Firefox."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import STDOUT, Popen
from typing import Any

from selenium.webdriver import FirefoxOptions, Remote, WebKitGTKOptions
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.remote_connection import RemoteConnection

from tests.support.marionette import Marionette

SCREEN = "1400x1000x24"
START_SECONDS = 90
MINI_BROWSERS = "/usr/lib/*/webkit2gtk-4.*/MiniBrowser"
WEBKIT_IN_SOFTWARE = {
    "WEBKIT_DISABLE_COMPOSITING_MODE": "1",
    "LIBGL_ALWAYS_SOFTWARE": "1",
    "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",  # it sees the app alone, and may run as root
}
FIREFOX_PREFERENCES = {
    "marionette.port": 0,  # any free one
    "browser.download.folderList": 2,
    "browser.shell.checkDefaultBrowser": False,
    "browser.aboutwelcome.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.normandy.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
}


@contextmanager
def running(command: list[str], log: Path, **more: Any) -> Iterator[Popen]:
    """Run a program; it ends with all that it started, whatever happens."""
    with log.open("wb") as output:
        process = Popen(command, stdout=output, stderr=STDOUT, start_new_session=True, **more)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def soon(look: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first thing that is found."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"{what}: not within {seconds} seconds"
        time.sleep(0.05)
    return found


@contextmanager
def screen(folder: Path) -> Iterator[str]:
    """A screen that nobody sees, by its name."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", SCREEN, "-nolisten", "tcp"]
    with running(command, folder / "screen.log", pass_fds=[write]):
        os.close(write)
        with open(read) as number:
            yield f":{number.readline().strip()}"


@contextmanager
def webkit(display: str, home: Path) -> Iterator[Remote]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = WebKitGTKOptions()
    options.binary_location = str(*Path("/").glob(MINI_BROWSERS[1:]))
    options.add_argument("--automation")
    options.page_load_strategy = "none"
    settings = environment(display, home) | WEBKIT_IN_SOFTWARE
    with running(["WebKitWebDriver", f"--port={port}"], home / "webkit.log", env=settings):
        soon(lambda: connected(port), START_SECONDS, "WebKitWebDriver").close()
        address = ClientConfig(remote_server_addr=f"http://127.0.0.1:{port}")
        driver = Remote(RemoteConnection(client_config=address), options=options)
        yield driver
        driver.quit()


@contextmanager
def firefox(display: str, home: Path) -> Iterator[Remote]:
    profile = home / "profile"
    profile.mkdir()
    values = {**FIREFOX_PREFERENCES, "browser.download.dir": str(home / "downloads")}
    lines = [f"user_pref({json.dumps(key)}, {json.dumps(values[key])});\n" for key in values]
    (profile / "user.js").write_text("".join(lines))
    command = ["firefox-esr", "--marionette", "--no-remote", "--profile", str(profile)]
    with running(command, home / "firefox.log", env=environment(display, home)):
        said = profile / "MarionetteActivePort"
        soon(lambda: said.exists() and said.read_text(), START_SECONDS, "Firefox")
        with socket.create_connection(("127.0.0.1", int(said.read_text()))) as connection:
            yield Remote(Marionette(connection), options=FirefoxOptions())


ENGINES = {"webkit": webkit, "firefox": firefox}


def missing(name: str) -> list[str]:
    """Debian's packages without which the engine cannot run here."""
    needed = {"xvfb": shutil.which("Xvfb")}
    if name == "webkit":
        browser = any(Path("/").glob(MINI_BROWSERS[1:]))
        needed["webkit2gtk-driver"] = shutil.which("WebKitWebDriver") and browser
    else:
        needed["firefox-esr"] = shutil.which("firefox-esr")
    return [package for package, found in needed.items() if not found]


def environment(display: str, home: Path) -> dict[str, str]:
    """A computer that the browser sees for the first time; downloads go into a folder of ours."""
    settings = home / ".config"
    settings.mkdir()
    (home / "downloads").mkdir()
    (settings / "user-dirs.dirs").write_text('XDG_DOWNLOAD_DIR="$HOME/downloads"\n')
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    alone = {"DBUS_SESSION_BUS_ADDRESS": "disabled:", "NO_AT_BRIDGE": "1", "GDK_BACKEND": "x11"}
    return {**kept, **alone, "DISPLAY": display, "HOME": str(home)}


def connected(port: int) -> socket.socket | None:
    with suppress(ConnectionRefusedError):
        return socket.create_connection(("127.0.0.1", port))
