"""“Did you mean”: what people type, and what is offered for it; rather nothing than nonsense."""

import pytest

from lora_demo import LoraDemoError
from lora_demo.class_names import CATEGORIES, find_category, known_category, near_categories

ELEPHANTS = ["Indian elephant", "African elephant"]
CATS = ["tiger cat", "Persian cat", "Siamese cat", "Egyptian cat", "Madagascar cat"]
CARS = ["sports car", "freight car", "passenger car"]
DOGS = [
    "Eskimo dog",
    "Maltese dog",
    "African hunting dog",
    "Bernese mountain dog",
    "Greater Swiss Mountain dog",
]
OFFERED = {
    # names
    "Gina": [],
    "Gloria": [],
    "Gabriela": [],
    "Max": [],
    "Leonard": [],
    "Diane": [],
    "Lea": [],
    # words for people
    "girl": [],
    "girls": [],
    "man": [],
    "woman": [],
    "boy": [],
    "mother": [],
    "king": [],
    "my brother": [],
    # things of everyday, one and several
    "cat": CATS,
    "cats": CATS,
    "dog": DOGS,
    "Dogs": DOGS,
    "car": CARS,
    "cars": CARS,
    "fish": ["anemone fish"],
    "pen": ["fountain pen"],
    "pens": ["fountain pen"],
    "bus": ["school bus"],
    "buses": ["school bus"],
    "butterflies": ["cabbage butterfly", "sulphur butterfly"],
    "mug": ["coffee mug"],
    "table": ["pool table", "dining table"],
    "chairs": ["barber chair", "folding chair", "rocking chair"],
    "computer": ["desktop computer", "hand-held computer"],
    "apples": ["custard apple"],
    "teapots": ["teapot"],
    "tree": [],
    "house": [],
    "horse": [],
    "flower": [],
    "water": [],
    "butter": [],
    "phone": [],
    "cup of tea": [],
    "my mug": [],
    # slips
    "goldfihs": ["goldfish", "goldfinch"],
    "goldfisch": ["goldfish", "goldfinch"],
    "gold fish": ["goldfish"],
    "tea pot": ["teapot"],
    "elefant": ELEPHANTS,
    "elephants": ELEPHANTS,
    "snial": ["snail"],
    "bannana": ["banana"],
    "umbrela": ["umbrella"],
    "strawbery": ["strawberry"],
    "hamer": ["hammer", "hamper"],
    "great white": ["great white shark"],
}


@pytest.mark.parametrize(("typed", "offered"), OFFERED.items(), ids=OFFERED)
def test_only_what_is_really_close_is_offered(typed, offered):
    assert near_categories(typed, CATEGORIES) == offered


def test_the_table_is_long_enough_to_mean_something():
    assert len(OFFERED) >= 50


@pytest.mark.parametrize(
    ("typed", "names", "near"),
    [
        ("ponies", ["pony"], ["pony"]),
        ("boxes", ["box"], ["box"]),
        ("huskies", ["Siberian husky"], ["Siberian husky"]),
        ("sliper", ["yellow lady's slipper"], ["yellow lady's slipper"]),  # a slip in its last word
        ("pony", ["pon", "po"], []),  # no singular of it
        ("glass", ["glas"], []),
        ("t shirt", ["red t shirt", "t-shirt"], ["t-shirt"]),  # the same but for the hyphen
        ("tshirt", ["t-shirt"], ["t-shirt"]),
        ("snail", ["tabby snail", "snaill"], ["tabby snail"]),  # a kind of it before a misspelling
        ("xoldfish", ["goldfish"], []),  # a slip of the hand keeps the first letter
        ("goldfishxy", ["goldfish"], ["goldfish"]),
        ("goldfishxyz", ["goldfish"], []),  # three letters more are no slip
        ("basket", ["basked"], []),  # short words must be closer
        ("cat", [f"{letter} cat" for letter in "abcdef"], [f"{letter} cat" for letter in "abcde"]),
    ],
)
def test_what_is_near_is_ranked_and_bounded(typed, names, near):
    assert near_categories(typed, names) == near


@pytest.mark.parametrize(
    ("typed", "advice"),
    [
        ("goldfsh", "The nearest are: goldfish."),
        ("elephant", "The nearest are: Indian elephant, African elephant."),
        ("qqqq", "No name of theirs is spelled like it."),
    ],
)
def test_an_unknown_class_is_refused_with_the_nearest_ones(typed, advice):
    with pytest.raises(LoraDemoError) as refused:
        find_category(typed, CATEGORIES)

    known = f"“{typed}” is none of the 1,000 classes that are known here."
    assert str(refused.value) == f"{known} {advice}"


def test_a_name_as_it_stands_goes_before_one_that_looks_the_same():
    assert known_category("crane", ("Crane", "crane")) == "crane"
    assert known_category("CRANE", ("Crane", "crane")) == "Crane"
    assert known_category("Great_White_Shark", CATEGORIES) == "great white shark"
    assert known_category("no such thing", CATEGORIES) is None
