"""Real parts, shared: the base models, features of the project's drawings, the app, a browser."""

import hashlib
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# The bits that are compared are the CPU's; tests/test_devices.py tells how to test a real card.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# Threads that spin while they wait for one another take the cores that others use: beside one busy
# process on two cores, small trainings took 20 times as long. The results are the same bits.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Read when huggingface_hub is imported; gradio_client, not the app, would send telemetry with it.
os.environ |= {"HF_HOME": tempfile.mkdtemp(), "HF_HUB_DISABLE_TELEMETRY": "1"}

import huggingface_hub.constants
import pytest
import torch
from gradio_client import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright
from torchvision.models import vgg19

from lora_demo import FrozenModel, LabelledImage, load_model, read_class_folder, read_feature_set
from lora_demo.backbones import weights as weights_room
from lora_demo.backbones.features import FeatureSet
from lora_demo.backbones.weights import VGG19_FILE
from tests.support.windows import new_window, tracebacks, unexpected

BROKEN_CONNECTIONS = (
    "signal is aborted without reason",
    "Connection errored out",
    "Connection to the server was lost",
    "net::ERR_",
)
DATA = Path(__file__).parents[1] / "data"
SETS = ("goldfish", "snail", "teapot")
expect.set_options(timeout=15_000)  # ms; a busy machine opens a page in five seconds
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a camera; still to be allowed by the context
]


@pytest.fixture(scope="session")
def model() -> FrozenModel:
    return load_model("efficientnet_lite0")


@pytest.fixture(scope="session")
def goldfish(model: FrozenModel) -> list[LabelledImage]:
    return read_class_folder(DATA / "goldfish", model.categories)


@pytest.fixture(scope="session")
def features(model: FrozenModel, goldfish: list[LabelledImage]) -> FeatureSet:
    return read_feature_set(model, goldfish)


@pytest.fixture(scope="session")
def three_sets(model: FrozenModel) -> FeatureSet:
    """Five goldfish, five snails, five teapots: more than a batch."""
    sets = [read_class_folder(DATA / name, model.categories) for name in SETS]
    return read_feature_set(model, [picture for pictures in sets for picture in pictures])


@pytest.fixture(scope="session")
def vgg19_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """VGG-19's architecture with random weights, under the official file name."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoints") / VGG19_FILE
    torch.save(vgg19().state_dict(), path)
    return path


@pytest.fixture(scope="session")
def random_vgg19(vgg19_file: Path) -> FrozenModel:
    return load_model("vgg19", vgg19_file)


@pytest.fixture(autouse=True)
def no_vgg19_on_this_computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test starts like a new computer, whatever caches this one has."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("LORA_DEMO_VGG19", raising=False)


@pytest.fixture(scope="session")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The running app; fails in the end if it looked up a host other than this machine."""
    os.environ["GRADIO_TEMP_DIR"] = str(tmp_path_factory.mktemp("uploads"))
    look_up, looked_up = socket.getaddrinfo, set()

    def recorded(host, *rest, **more):
        looked_up.add(host.decode() if isinstance(host, bytes) else host)
        return look_up(host, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", recorded)
        import app

        _, url, _ = app.demo.launch(**app.LAUNCH, prevent_thread_lock=True, quiet=True)
        yield url
        app.demo.close()
    assert looked_up <= {"127.0.0.1", "localhost", "0.0.0.0", None}


@pytest.fixture
def client(app_url: str, tmp_path: Path) -> Client:
    return Client(app_url, verbose=False, download_files=tmp_path)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def expected(request: pytest.FixtureRequest) -> list[str]:
    """What may go wrong in this test: the texts of its marks `expects`."""
    return expected_by(request.node)


def expected_by(test: pytest.Item) -> list[str]:
    return [text for mark in test.iter_markers("expects") for text in mark.args]


@pytest.fixture
def page(browser: Browser, app_url: str, expected: list[str]) -> Iterator[Page]:
    """The app in a fresh browser window; fails on all that a visitor should not meet."""
    with new_window(browser, app_url, expected) as window:
        page = window.new_page()
        page.goto(app_url)
        expect(page.get_by_text("You teach")).to_be_visible(timeout=30_000)  # it hears clicks now
        yield page


@pytest.fixture
def window(browser: Browser, app_url: str, expected: list[str]) -> Iterator[Callable[[], Page]]:
    """Opens pages of different visitors; what they reload and leave may break connections."""
    with ExitStack() as windows:

        def open_window() -> Page:
            known = (*expected, *BROKEN_CONNECTIONS)
            page = windows.enter_context(new_window(browser, app_url, known)).new_page()
            page.goto(app_url)
            expect(page.get_by_text("You teach EfficientNet-Lite0")).to_be_visible(timeout=30_000)
            return page

        yield open_window


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "browser" in fixtures:
            item.add_marker("browser")
        if "vgg19_file" in fixtures:  # half a gigabyte to write and to read
            item.add_marker("slow")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """Fails a test of the running app after which a traceback stands in the log."""
    report = yield
    if call.when == "teardown" and "app_url" in getattr(item, "fixturenames", ()):
        log = "\n".join(text for _, text in report.sections)
        wrong = unexpected(tracebacks(log), expected_by(item))
        if wrong and report.passed:
            report.outcome = "failed"
            report.longrepr = "The app's log has:\n\n" + "\n\n".join(wrong)
    return report


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A download server on this machine, in the place of both real ones."""
    folder = tmp_path / "server"
    folder.mkdir()
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(weights_room, "VGG19_URL", f"{url}/vgg.pth")
        yield folder
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    """Sends what the hub sends beside a file: its checksum, its size and a revision."""

    def end_headers(self):
        path = self.translate_path(self.path)
        if self.path.endswith("model.safetensors") and os.path.exists(path):
            with open(path, "rb") as file:
                self.send_header("ETag", f'"{hashlib.sha256(file.read()).hexdigest()}"')
            self.send_header("X-Repo-Commit", "0" * 40)
        super().end_headers()

    def log_message(self, *_):
        pass


def ray_actors_below(ancestor: int) -> set[int]:
    """The processes of Ray actors that a process has started."""

    def parent(process: int) -> int:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])

    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            actor = number = int(path.parent.name)
            if path.read_bytes().startswith(b"ray::Actor"):
                while number not in (ancestor, 0):
                    number = parent(number)
                found |= {actor} if number == ancestor else set()
    return found
