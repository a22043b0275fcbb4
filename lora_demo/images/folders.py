"""Find folders named after classes, and the pictures in them."""

from collections.abc import Sequence
from pathlib import Path

from lora_demo.class_names import find_category
from lora_demo.errors import LoraDemoError
from lora_demo.images.reading import LabelledImage


def class_folders(root: Path | str) -> list[Path]:
    """List the folders in `root` by name, without hidden ones and Python's own."""
    return sorted(path for path in _entries(root) if path.is_dir() and path.name[0] not in "._")


def picture_files(folder: Path | str) -> list[Path]:
    """List the files directly in a folder by name, without hidden ones; none is opened."""
    return sorted(path for path in _entries(folder) if path.is_file() and path.name[0] != ".")


def read_class_folder(folder: Path | str, categories: Sequence[str]) -> list[LabelledImage]:
    """List the pictures that lie directly in one folder; its name is their category.

    Raises `LoraDemoError` if there is no such folder or category.
    """
    files = picture_files(folder)
    label = find_category(Path(folder).name, categories)
    return [LabelledImage(path, label) for path in files]


def read_class_folders(root: Path | str, categories: Sequence[str]) -> list[LabelledImage]:
    """List every picture under `root/<category>/`, one class per folder, folders by name."""
    return [p for folder in class_folders(root) for p in read_class_folder(folder, categories)]


def _entries(folder: Path | str) -> list[Path]:
    try:
        return list(Path(folder).iterdir())
    except OSError as error:
        raise LoraDemoError(f"“{folder}” is no folder that can be read. Check its name.") from error
