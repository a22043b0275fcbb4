"""A visitor's wishes as functions of files: each answer belongs to the file that it is told of."""

import pytest

from lora_demo import AdapterSpec, TrainingSettings, compare, fit, read_features
from lora_demo.serving.tasks import measure_forgetting
from tests.conftest import DATA


@pytest.fixture(scope="module")
def adapter(model, features):
    spec = AdapterSpec(model.name, "head", 4, class_names=("goldfish",))
    *_, progress = fit(model, features, spec, TrainingSettings(100))
    return progress.adapter


def test_a_change_is_told_of_the_file_that_it_is_of(model, adapter, tmp_path):
    """A file that cannot be read counts in the numbering, and in nothing else."""
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    snails, teapots = (sorted((DATA / name).glob("*.png")) for name in ("snail", "teapot"))
    groups = {"first": [bad, *snails], "second": [teapots[0], bad, *teapots[1:]]}

    [report] = measure_forgetting(adapter, 1.0, groups)

    for name, paths in groups.items():
        expected = {}
        for place, path in enumerate(paths):
            if path != bad:
                answers = compare(model, read_features(model, path), adapter, 1.0)
                expected[place] = (answers.before[0].class_name, answers.after[0].class_name)
        assert report.called[name] == {place: before for place, (before, _) in expected.items()}
        assert report.groups[name].total == 5
        found = {c.index: (c.before, c.after) for c in report.groups[name].changes}
        assert found == {i: pair for i, pair in expected.items() if pair[0] != pair[1]}
        captured = [after for before, after in found.values() if after == "goldfish"]
        assert report.groups[name].captured == len(captured)
    assert any(broken.changed for broken in report.groups.values())
