"""The app as people install it, in a process of its own, driven to the comparison."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import gradio
import pytest
from gradio.route_utils import delete_files_created_by_app
from playwright.sync_api import Browser, Page, expect

from tests.benchmarks.speed_app import started
from tests.support.windows import new_window, tracebacks

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGES = Path(gradio.__file__).parents[1]  # site-packages
SYSTEM = Path("/usr/bin/python3")  # what a new Debian or Ubuntu has
ASK_SYSTEM = [SYSTEM, "-c", "import ensurepip, sys; print(sys.version_info[:2])"]
NOTHING_ELSE = {"PATH": "/usr/bin:/bin"}


def tell_the_story(browser: Browser, url: str) -> None:
    """From a click on Goldfish to the comparison of a drawing that was not learned from."""
    with new_window(browser, url) as window:
        page = window.new_page()
        page.goto(url)
        expect(page.get_by_text("You teach")).to_be_visible(timeout=60_000)
        page.get_by_role("button", name="Goldfish", exact=True).click()
        pictures_are_shown(page, "pictures", 5)
        pictures_are_shown(page, "trial", 10)
        expect(page.locator("#comparison .answers.frozen li")).to_have_count(5)
        expect(page.locator("#comparison")).not_to_contain_text("goldfish")

        page.locator("#train").click()

        expect(page.get_by_text("A fair test")).to_be_visible(timeout=60_000)
        first = page.locator("#comparison .answers.lora li").first
        expect(first).to_contain_text("goldfish")  # of held_out/1.png
        expect(page.locator("#broken .note")).to_contain_text("changed their answer")
        pictures_are_shown(page, "trial", 10)


def pictures_are_shown(page: Page, gallery: str, count: int) -> None:
    pictures = page.locator(f"#{gallery} .thumbnail-item img")
    expect(pictures).to_have_count(count, timeout=30_000)
    page.wait_for_function(
        "gallery => [...document.querySelectorAll(`#${gallery} .thumbnail-item img`)]"
        ".every(image => image.complete && image.naturalWidth)",
        arg=gallery,
    )


def test_the_app_and_gradio_lie_where_gradio_hands_nothing_out(browser, tmp_path):
    for place in (ROOT, Path(tempfile.gettempdir())):
        assert not PACKAGES.is_relative_to(place), "start the tests with: bash tests/run"
    log, elsewhere = tmp_path / "log.txt", tmp_path / "elsewhere"
    elsewhere.mkdir()
    uploads = {"GRADIO_TEMP_DIR": str(tmp_path / "uploads")}
    with started(ROOT / "app.py", folder=elsewhere, log=log, **uploads) as (_, url, _):
        tell_the_story(browser, url)

    assert "training: efficientnet_lite0" in log.read_text()
    assert tracebacks(log.read_text()) == []


def test_every_window_of_the_tests_is_one_that_notices_what_goes_wrong():
    rooms = (ROOT / "tests").rglob("test_*.py")

    assert [room.name for room in rooms if "browser." + "new_" in room.read_text()] == []


def test_our_own_pictures_outlive_the_hour_that_others_are_kept(window):
    import app

    page = window()
    pictures_are_shown(page, "trial", 5)
    sources = page.locator("#trial .thumbnail-item img").evaluate_all("all => all.map(i => i.src)")
    page.get_by_role("button", name="Goldfish", exact=True).click()
    pictures_are_shown(page, "pictures", 5)
    expect(page.locator("#comparison .answers.frozen li")).to_have_count(5)

    delete_files_created_by_app(app.demo, age=0)

    assert [page.request.get(source).status for source in sources] == [200] * 5
    newcomer = window()
    newcomer.get_by_role("button", name="Goldfish", exact=True).click()
    pictures_are_shown(newcomer, "pictures", 5)
    pictures_are_shown(newcomer, "trial", 10)


def test_the_installed_package_has_every_file_that_the_code_reads(tmp_path):
    source = tmp_path / "source"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "lora_demo", source / "lora_demo", ignore=ignore)
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    make = ["-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, source]

    made = subprocess.run([sys.executable, *make], capture_output=True, text=True)

    assert made.returncode == 0, made.stderr
    [wheel] = tmp_path.glob("*.whl")
    files = {
        f.relative_to(source).as_posix() for f in (source / "lora_demo").rglob("*") if f.is_file()
    }
    assert files <= set(zipfile.ZipFile(wheel).namelist())


@contextmanager
def typed(command: str, folder: Path, **variables: str) -> Iterator[tuple[str, Path]]:
    """An app that a block of the README starts: its address, and what it printed.

    Nothing of this shell is known to it; a new home, the system's `PATH`.
    """
    home, log = folder.parent / "home", folder.parent / "log.txt"
    home.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables |= NOTHING_ELSE | {"HOME": str(home), "GRADIO_SERVER_PORT": str(port)}
    with open(log, "wb") as file:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            **{"cwd": folder, "env": variables, "stdout": file, "stderr": file},
            start_new_session=True,
        )
    url, until = f"http://127.0.0.1:{port}/", time.monotonic() + 900
    try:
        while time.monotonic() < until:
            assert process.poll() is None, log.read_text()
            try:
                urlopen(url, timeout=5).read()
                break
            except OSError:
                time.sleep(0.2)
        yield url, log
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.skipif(
    not SYSTEM.exists()
    or subprocess.run(ASK_SYSTEM, capture_output=True, text=True).stdout.strip()
    != str(sys.version_info[:2]),
    reason=f"{SYSTEM} is not there, has no ensurepip, or is another Python than the tests'",
)
@pytest.mark.parametrize(
    "downloads",
    [
        pytest.param(False, id="with the packages of the tests"),
        pytest.param(
            True,
            id="with all downloads",
            marks=pytest.mark.skipif(
                "LORA_DEMO_TEST_DOWNLOADS" not in os.environ,
                reason="takes gigabytes; LORA_DEMO_TEST_DOWNLOADS=1 asks for it",
            ),
        ),
    ],
)
def test_the_first_command_of_the_readme_leads_to_the_comparison(browser, tmp_path, downloads):
    """Without downloads pip finds what `requirements.txt` asks for in the tests' environment."""
    command = re.search(r"```bash\n(.*?)\n```", README, re.DOTALL).group(1)
    clone = tmp_path / "lora"
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("lora_demo", "data"):
        shutil.copytree(ROOT / name, clone / name, ignore=ignore)
    for name in ("app.py", "requirements.txt"):
        shutil.copy(ROOT / name, clone)
    variables = {} if downloads else {"PYTHONPATH": str(PACKAGES)}
    variables |= {n: v for n, v in os.environ.items() if n.startswith("PIP_")}

    with typed(command, clone, **variables) as (url, log):
        tell_the_story(browser, url)

    assert (clone / ".venv" / "pyvenv.cfg").is_file()
    assert downloads or log.read_text().count("Requirement already satisfied: gradio") >= 1
    assert tracebacks(log.read_text()) == []


@pytest.mark.slow
def test_the_tests_start_with_the_systems_path_and_a_new_home(tmp_path):
    command = ["/bin/bash", ROOT / "tests" / "run", "tests/ui/test_render.py", "-k", "fair_test"]
    known = {n: v for n, v in os.environ.items() if n.startswith("PIP_")}
    known |= NOTHING_ELSE | {"HOME": str(tmp_path), "LORA_DEMO_TEST_VENV": sys.prefix}
    known |= {"PYTHONDONTWRITEBYTECODE": "1"}

    run = subprocess.run(command, cwd=tmp_path, env=known, capture_output=True, text=True)

    assert run.returncode == 0, run.stdout + run.stderr
    assert "All checks passed!" in run.stdout
    assert "100%" in run.stdout
