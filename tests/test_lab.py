"""What broke and what the lab says of it: counted truly, and equal to single runs."""

import csv
import shutil
from dataclasses import replace

import pytest
import torch

from lora_demo import (
    AdapterSpec,
    Placement,
    class_prototypes,
    count_broken,
    fit,
    judge,
    leave_one_out,
    sweep,
    variants,
)
from lora_demo.lab import Result, to_csv
from lora_demo.lora.evaluation import count_classes_broken
from lora_demo.serving.tasks import read_unrelated
from lora_demo.ui import get_ready
from lora_demo.ui import samples as samples_room
from lora_demo.ui.render.table import results_view
from lora_demo.ui.samples import flatten, unrelated_paths
from tests.conftest import DATA

RANKS = (1, 8)
PLACEMENTS = (Placement.GUARDED, Placement.HEAD, Placement.PIXELS)


@pytest.fixture(scope="module")
def unrelated(model):
    return list(read_unrelated(model, flatten(unrelated_paths(["goldfish"]))).values())


@pytest.fixture(scope="module")
def spec(model):
    return AdapterSpec(model.name, seed=5, class_names=("goldfish",))


@pytest.fixture(scope="module")
def results(model, features, unrelated, spec):
    steps = sweep(model, features, variants(spec, PLACEMENTS, RANKS), unrelated)
    return [step for step in steps if isinstance(step, Result)]


def figures(result):
    """All but the seconds and the adapter itself."""
    broken = result.pictures_broken, result.classes_broken
    return result.size, result.final_loss, result.base, result.adapted, *broken


def test_getting_ready_leaves_nothing_to_read_to_the_first_visitor(model):
    get_ready()

    runs = []
    handle = model.trunk.register_forward_pre_hook(lambda *_: runs.append(1))
    read_unrelated(model, flatten(unrelated_paths([])))
    handle.remove()
    assert runs == []


@pytest.mark.slow
def test_the_rows_come_in_order(results):
    rows = [(result.adapter.spec.placement, result.adapter.spec.rank) for result in results]

    assert rows == [(placement, rank) for placement in PLACEMENTS for rank in RANKS]
    assert {result.adapter.spec.seed for result in results} == {5}


@pytest.mark.parametrize("row", range(len(PLACEMENTS) * len(RANKS)))
@pytest.mark.slow
def test_a_row_equals_a_single_run(model, features, unrelated, spec, results, row):
    asked = AdapterSpec(
        model.name, PLACEMENTS[row // 2], RANKS[row % 2], spec.seed, spec.class_names
    )
    *_, progress = fit(model, features, asked)
    *_, single = judge(model, features, progress, unrelated)

    assert figures(single) == figures(results[row])
    assert single.adapter.spec == results[row].adapter.spec
    assert torch.equal(single.adapter.lora.B, results[row].adapter.lora.B)


def test_the_strength_that_the_fair_test_found_is_set(model, features, spec):
    *_, trained = fit(model, features, replace(spec, placement=Placement.GUARDED))
    first = trained.adapter.strength

    *held_back, result = judge(model, features, trained, [])

    assert result.adapter.strength == held_back[-1].strength != first
    assert result.adapter.spec.strength == held_back[-1].strength


def test_each_row_finds_its_own_strength(model, features, spec):
    """Whatever strength the lesson was given."""
    asked = replace(spec, strength=0.25)
    rows = variants(asked, (Placement.GUARDED, Placement.HEAD), (1, 2))

    found = [step for step in sweep(model, features, rows, []) if isinstance(step, Result)]

    assert {row.strength for row in rows} == {None}
    assert {result.adapter.strength for result in found[2:]} == {1.0}
    for result in found[:2]:
        alone = replace(result.adapter.spec, strength=None)
        *_, held_back = leave_one_out(model, features, alone)
        assert result.adapter.strength == held_back.strength > 0.25


@pytest.mark.slow
def test_what_broke_is_what_a_comparison_of_all_answers_finds(features, unrelated, results):
    for result in results:
        adapter = result.adapter
        pairs = [
            (adapter.categories[f.logits.argmax()], adapter.categories[adapter.logits(f).argmax()])
            for f in unrelated
        ]
        changes = [(i, *pair) for i, pair in enumerate(pairs) if pair[0] != pair[1]]

        broken = result.pictures_broken
        assert [(c.index, c.before, c.after) for c in broken.changes] == changes
        assert broken.captured == sum(after == "goldfish" for _, _, after in changes)
        assert broken.total == len(unrelated) == 25


@pytest.mark.slow
def test_guarded_keeps_the_kinds_that_plain_lora_breaks(results):
    changed = {
        p: [r.classes_broken for r in results if r.adapter.spec.placement is p] for p in PLACEMENTS
    }

    assert all(broken.changed <= 3 for broken in changed[Placement.GUARDED])
    assert changed[Placement.HEAD][-1].changed > 100
    assert changed[Placement.PIXELS] == [None, None]


@pytest.mark.slow
def test_at_strength_zero_nothing_is_broken(model, unrelated, results):
    for result in results:
        assert count_broken(unrelated, result.adapter, strength=0).changed == 0
        classes = count_classes_broken(model, result.adapter, strength=0)
        assert classes is None or classes.changed == 0


@pytest.mark.parametrize("fixture", ["model", "random_vgg19"])
@torch.no_grad()
def test_the_head_recognises_every_prototype_with_certainty(request, fixture):
    model = request.getfixturevalue(fixture)
    prototypes = class_prototypes(model)
    probabilities = model.head(prototypes.head_input).softmax(1)

    assert torch.equal(probabilities.argmax(1), torch.arange(1000))
    assert probabilities.diagonal().min() >= 0.99
    assert (prototypes.head_input >= 0).all()


def test_guarded_learns_at_most_one_number_a_picture(model, features, unrelated):
    spec = AdapterSpec(model.name, Placement.GUARDED, 32, class_names=("goldfish",))
    *_, progress = fit(model, features, spec)
    *_, result = judge(model, features, progress, [])

    assert result.size.trainable_parameters == progress.adapter.lora.A.any(0).sum() == 5


def test_a_file_in_data_that_is_no_picture_is_left_out(model, tmp_path, monkeypatch):
    shutil.copytree(DATA, tmp_path / "data")
    (tmp_path / "data" / "snail" / "notes.txt").write_text("a note")
    monkeypatch.setattr(samples_room, "DATA", tmp_path / "data")

    groups = {
        name: read_unrelated(model, paths) for name, paths in unrelated_paths(["goldfish"]).items()
    }

    assert [len(group) for group in groups.values()] == [5, 10, 10, 0]


@pytest.mark.slow
def test_the_csv_has_a_row_a_result_with_the_same_figures(results):
    rows = list(csv.DictReader(to_csv(results).splitlines()))

    assert len(rows) == len(results)
    for row, result in zip(rows, results, strict=True):
        assert row["recipe"] == result.adapter.spec.placement.value
        assert int(row["rank"]) == result.adapter.spec.rank
        assert int(row["hidden_recognised"]) == result.adapted.correct
        assert int(row["unrelated_changed"]) == result.pictures_broken.changed
        assert float(row["strength"]) == result.adapter.strength


@pytest.mark.slow
def test_the_table_has_a_point_and_a_line_for_each_result(results):
    view = results_view(results)

    assert view.count("<circle") == view.count("<button data-row") == len(results)
    for number in range(len(results)):
        assert view.count(f'data-row="{number}"') == 2
