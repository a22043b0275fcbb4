"""What README and `docs/` show, run as it stands."""

import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from lora_demo import limits, load_adapter
from lora_demo.backbones.weights import VGG19_HUB_FILE

ROOT = Path(__file__).parents[1]
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}  # of Spaces
README = (ROOT / "README.md").read_text(encoding="utf-8")
API, SERVING = ((ROOT / "docs" / f"{n}.md").read_text(encoding="utf-8") for n in ("api", "serving"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
[LIBRARY], [CLIENT] = (re.findall(r"```python\n(.*?)```", t, re.DOTALL) for t in (README, API))


@pytest.fixture(autouse=True)
def in_a_folder_with_the_data(tmp_path, monkeypatch):
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_the_ten_lines_train_save_and_compare(vgg19_file, random_vgg19, monkeypatch, capsys):
    monkeypatch.setenv("LORA_DEMO_VGG19", str(vgg19_file))

    exec(LIBRARY, {})

    *epochs, prediction = capsys.readouterr().out.splitlines()
    losses = [float(line.split()[1]) for line in epochs]
    assert len(losses) == 100
    assert losses[-1] < losses[0]
    assert prediction.startswith("Prediction(class_name=")
    assert load_adapter("lora.pth", random_vgg19).spec.rank == 10
    assert len([line for line in LIBRARY.splitlines() if line and "import" not in line]) <= 10


@pytest.mark.slow
def test_the_client_lines_train_and_compare(app_url, capsys):
    exec(CLIENT.replace("http://127.0.0.1:7860", app_url.rstrip("/")), {})

    *_, printed = capsys.readouterr().out.splitlines()
    loss, base, adapted = re.match(r"(\S+) (\{.*?\}) (\{.*?\})", printed).groups()
    assert float(loss) < 0.1
    assert "goldfish" not in base
    assert "goldfish" in adapted


INTERNAL = {
    limits.MAX_JPEG_SCANS,
    limits.MAX_EXIF_BLOCKS,
    limits.MAX_PICTURE_READS,
    limits.MAX_HEIC_HEAD_BYTES,
}


def test_the_limits_are_those_of_the_code():
    table = SERVING.split("## Limits")[1].split("## ")[0]
    values = [value for name, value in vars(limits).items() if name.startswith("MAX_")]
    plain = [v // 2**20 if v % 2**20 == 0 else v // 10**6 if v > 10**6 else v for v in values]

    for value in set(plain) - INTERNAL:
        assert f"{value:,g}" in table


def test_the_commands_are_the_ones_that_exist():
    assert "bash tests/run" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for path in ["requirements.txt", "app.py", "tests/run", "tests/space", "Dockerfile", "LICENSE"]:
        assert (ROOT / path).is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_or_names_is_there(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://)([^)#]*)(?:#([^)]*))?\)", text)
    paths = re.findall(r"(?:lora_demo|tests|data|docs)/[\w/]+\.\w+", text)

    for path, heading in links:
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), path
        headings = re.findall(r"^#+ (.*)", target.read_text("utf-8"), re.M) if heading else []
        assert not heading or heading in [h.lower().replace(" ", "-") for h in headings]
    for path in paths:
        assert (ROOT / path).is_file(), path


def test_the_readme_is_read_in_three_minutes():
    assert len(README.split()) <= 900


def test_the_front_matter_is_what_spaces_read():
    """https://huggingface.co/docs/hub/spaces-config-reference"""
    front = yaml.safe_load(README.split("---\n")[1])
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    [gradio] = [r for r in map(Requirement, lines) if r.name == "gradio"]

    assert front.keys() >= {"title", "emoji", "python_version", "models", "license", "thumbnail"}
    assert front["sdk"] == "gradio"
    assert gradio.specifier.contains(front["sdk_version"])
    assert (ROOT / front["app_file"]).is_file()
    assert {front["colorFrom"], front["colorTo"]} <= COLOURS
    assert 0 < len(front["short_description"]) <= 60
    assert front["preload_from_hub"] == [" ".join(VGG19_HUB_FILE)]
    assert front["thumbnail"].startswith("https://") or (ROOT / front["thumbnail"]).is_file()
