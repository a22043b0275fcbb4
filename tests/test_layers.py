"""The layout of the design: a room imports only rooms above it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lora_demo

ROOT = Path(__file__).parents[1] / "lora_demo"
ROOMS = [
    "errors",
    "limits",
    "leftovers",
    "writing",
    "words",
    "tensor_files",
    "jpeg",
    "heic",
    "upright",
    "images",
    "class_folders",
    "copies",
    "weights",
    "networks",
    "backbones",
    "features",
    "specs",
    "guard",
    "adapters",
    "descent",
    "training",
    "cross_validation",
    "evaluation",
    "forgetting",
    "lab",
    "jobs",
    "long_work",
    "desk",
    "parcels",
    "actors",
    "ray_workers",
    "adapter_files",
]
FORBIDDEN = {room: {"gradio"} for room in ROOMS} | {
    "errors": {"gradio", "torch", "PIL"},
    "limits": {"gradio", "torch", "PIL"},
    "writing": {"gradio", "torch", "PIL"},
    "words": {"gradio", "torch", "PIL"},
    "tensor_files": {"gradio", "PIL"},
    "images": {"gradio", "torch"},
    "specs": {"gradio", "PIL", "pathlib"},
    "adapters": {"gradio", "PIL", "pathlib"},
    "descent": {"gradio", "PIL", "pathlib"},
}


def imports(path: Path) -> set[str]:
    """Dotted names of the modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            names.add(node.module)
    return names


def test_every_room_has_its_place():
    assert {path.stem for path in ROOT.glob("*.py")} == {"__init__", *ROOMS}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_above_it(room):
    above = ROOMS[: ROOMS.index(room)]
    own = {name.split(".")[1] for name in imports(ROOT / f"{room}.py") if "lora_demo." in name}

    assert own <= set(above)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_never_imports_what_it_must_not(room):
    foreign = {name.split(".")[0] for name in imports(ROOT / f"{room}.py")}

    assert not foreign & FORBIDDEN[room]


def test_the_page_is_built_before_torch_is_imported():
    """Torch takes seconds; the page is to answer without it."""
    script = "import sys, lora_demo.ui as ui; ui.build_app(); print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "False"


def test_every_public_name_can_be_imported():
    assert all(getattr(lora_demo, name) for name in lora_demo.__all__)
    assert callable(lora_demo.leave_one_out)
    with pytest.raises(AttributeError, match="no attribute 'lora'"):
        lora_demo.lora  # noqa: B018


def test_the_public_names_are_no_part_of_the_page():
    assert set(lora_demo._ROOM.values()) <= set(ROOMS)


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.stem)
def test_rooms_are_imported_by_name(path):
    assert "lora_demo" not in imports(path)


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.stem)
def test_a_room_says_what_it_owns_and_stays_small(path):
    source = path.read_text(encoding="utf-8")

    assert ast.get_docstring(ast.parse(source))
    assert len(source.splitlines()) <= 160
