"""The benchmarks tell the truth: a row holds on the right side of its target, and only there."""

import json
import subprocess
import sys

import pytest

from tests.benchmarks.rows import at_least, at_most, show


@pytest.mark.parametrize(
    ("row", "ratio", "holds"),
    [
        (at_least("plain / ours", ours=2.0, peer=700.0, target=350), 350, True),
        (at_least("plain / ours", ours=2.0, peer=698.0, target=350), 349, False),
        (at_most("seconds", ours=0.15, target=0.15), None, True),
        (at_most("seconds", ours=0.16, target=0.15), None, False),
        (at_most("ours / empty", ours=3.0, target=1.3, peer=2.0), 1.5, False),
        (at_most("ours / empty", ours=2.6, target=1.3, peer=2.0), 1.3, True),
    ],
)
def test_a_row_holds_on_the_right_side_of_its_target(row, ratio, holds, capsys):
    assert (row.ratio, row.holds) == (ratio, holds)

    show([row])

    table, last = capsys.readouterr().out.strip().rsplit("\n", 1)
    assert ("holds" if holds else "MISSED") in table
    assert json.loads(last)[0].keys() == {"name", "ours", "peer", "ratio", "target", "holds"}


@pytest.mark.slow
def test_one_measurement_can_be_run_alone():
    command = [sys.executable, "-m", "tests.benchmarks.speed", "--only", "dial"]

    rows = json.loads(subprocess.check_output(command, text=True).splitlines()[-1])

    assert [row["name"].split(":")[0] for row in rows] == ["strength dial"] * 2
    assert rows[1]["ours"] == 0  # runs of the trunk
