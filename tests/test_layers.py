"""The layout of the design; `lint-imports` holds which room imports which (see pyproject.toml)."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lora_demo

ROOT = Path(__file__).parents[1] / "lora_demo"
ROOMS = sorted(ROOT.rglob("*.py"))


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


def test_no_import_runs_upward():
    done = subprocess.run(
        ["lint-imports", "--no-cache"], capture_output=True, text=True, cwd=ROOT.parent
    )

    kept = re.search(r"Contracts: (\d+) kept, 0 broken", done.stdout)
    assert kept, done.stdout + done.stderr
    assert int(kept[1]) == (ROOT.parent / "pyproject.toml").read_text().count("linter.contracts]]")


@pytest.mark.slow
def test_the_page_is_built_before_torch_is_imported():
    """Torch takes seconds; the page is to answer without it."""
    script = "import sys, lora_demo.ui as ui; ui.build_app(); print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "False"


def test_the_library_is_imported_without_torch():
    script = "import sys, lora_demo; print({'torch', 'PIL', 'gradio'} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "set()"


def test_every_public_name_can_be_imported():
    assert all(getattr(lora_demo, name) for name in lora_demo.__all__)
    assert callable(lora_demo.leave_one_out)
    with pytest.raises(AttributeError, match="lorax"):
        lora_demo.lorax  # noqa: B018


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_says_what_it_owns_and_stays_small(path):
    source = path.read_text(encoding="utf-8")

    assert ast.get_docstring(ast.parse(source))
    assert len(source.splitlines()) <= 160
    if "ui" not in path.relative_to(ROOT).parts:
        assert "lora_demo" not in imports(path), "only the page takes the public names"
