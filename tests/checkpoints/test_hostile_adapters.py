"""LoRA files that mean harm: each is refused by name, at once, and nothing in them is run."""

import pickle
from collections.abc import Iterator

import pytest

from lora_demo import AdapterFileError, load_adapter
from tests.support import hostile_adapters
from tests.support.at_once import at_once
from tests.support.hostile_adapters import CANARY, CODE, HOSTILE

FILES = [
    pytest.param(*file, id=name, marks=[pytest.mark.slow] if "lies" in name else [])
    for name, file in HOSTILE.items()
]


@pytest.fixture(autouse=True)
def nothing_was_run() -> Iterator[None]:
    yield
    assert not CANARY.exists()


@pytest.mark.parametrize("code", CODE.values(), ids=CODE)
def test_the_code_would_run_where_nobody_looks(code):
    pickle.loads(code)

    assert CANARY.exists()
    CANARY.rmdir()


@pytest.mark.parametrize(("make", "suffix"), FILES)
def test_a_hostile_adapter_is_refused_by_name_at_once(tmp_path, model, make, suffix):
    path = tmp_path / f"lora{suffix}"
    make(path)

    with at_once(), pytest.raises(AdapterFileError, match=f"“lora{suffix}”") as caught:
        load_adapter(path, model)
    assert len(str(caught.value)) < 1000


def test_torch_reads_what_was_checked_and_nothing_else(tmp_path, model, features):
    hostile_adapters.old_pickle_before_an_archive(tmp_path / "lora.pth")

    loaded = load_adapter(tmp_path / "lora.pth", model)

    assert loaded.logits(features).equal(features.logits)
