"""Pictures that mean harm, or are damaged: each is refused by name and with its reason, at once."""

import pytest
from PIL import ImageChops

from lora_demo import ImageError, open_image
from tests.support.at_once import at_once
from tests.support.hostile_pictures import KINDS, REFUSED, cut, whole


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_bad_picture_is_named_with_its_reason_at_once(tmp_path, make, reason):
    path = tmp_path / "cat.jpg"
    path.write_bytes(make())

    with at_once(), pytest.raises(ImageError, match=f"“cat.jpg”.*{reason}"):
        open_image(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_cut_short_is_refused_or_whole(tmp_path, kind):
    path = tmp_path / "cut.jpg"
    path.write_bytes(whole(kind))
    expected, refused = open_image(path), 0

    for percent, data in cut(whole(kind)).items():
        path.write_bytes(data)
        try:
            assert ImageChops.difference(open_image(path), expected).getbbox() is None, percent
        except ImageError:
            refused += 1

    assert refused >= 18  # of 19; the last 5 % of some formats are no pixels
