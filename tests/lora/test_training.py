"""The truths of training: nothing frozen changes, nothing frozen is run twice, and it can stop."""

import math
import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from operator import attrgetter

import pytest
import torch
from cachetools import LRUCache
from torch.nn import functional as F

from lora_demo import (
    AdapterSpec,
    DivergedError,
    LabelledImage,
    LoraDemoError,
    Placement,
    TrainingSettings,
    adapter_size,
    fit,
    leave_one_out,
    new_adapter,
    open_image,
    read_class_folder,
    read_examples,
    read_feature_set,
    read_features,
    train,
)
from lora_demo.backbones import features as features_room
from lora_demo.backbones.bank import style_features
from lora_demo.backbones.features import FEATURE_BYTES
from lora_demo.limits import MAX_PICTURES, MAX_STRENGTH
from lora_demo.lora.closed_form import Guarded
from lora_demo.lora.strength import guarded_strength
from tests.conftest import DATA
from tests.support.plain import PlainLora, plain_losses


def last(progresses):
    *_, progress = progresses
    return progress


def directions(model, features, rank):
    styles = style_features(model)
    guarded = Guarded.of(features, features.logits, model.head.weight, styles)
    return guarded.directions(torch.ones(len(features.labels), dtype=torch.bool), rank)


@pytest.fixture(params=list(Placement))
def spec(request, model) -> AdapterSpec:
    return AdapterSpec(model.name, request.param, rank=4, class_names=("goldfish",))


@pytest.fixture
def trunk_runs(model):
    """Counts the pictures that go through the trunk from here on."""
    seen = []
    handle = model.trunk.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    yield seen
    handle.remove()


def test_new_adapter_changes_no_logit(model, features, spec):
    assert torch.equal(new_adapter(spec, model).logits(features), features.logits)


def test_strength_zero_changes_no_logit(model, features, spec):
    adapter = last(fit(model, features, spec)).adapter

    assert not torch.equal(adapter.logits(features), features.logits)
    assert torch.equal(adapter.logits(features, strength=0), features.logits)


@torch.no_grad()
def test_base_only_is_bit_identical_to_the_untouched_network(model, goldfish, spec):
    untouched = {name: t.clone() for name, t in model.trunk.state_dict().items()}
    x = model.preprocess(open_image(goldfish[0].path))[None]
    before = model.classifier(model.trunk(x))

    with torch.enable_grad():
        last(train(model, goldfish, spec, TrainingSettings(20)))

    assert torch.equal(model.classifier(model.trunk(x)), before)
    assert torch.equal(read_features(model, goldfish[0].path).logits, before)
    assert all(torch.equal(t, untouched[n]) for n, t in model.trunk.state_dict().items())


def test_only_adapter_tensors_are_trained(model, features, spec):
    adapter = last(fit(model, features, spec)).adapter

    assert set(adapter.state_dict()) == {"loras.0.A", "loras.0.B"}
    assert all(
        p.grad is None for part in (model.trunk, model.classifier) for p in part.parameters()
    )


def test_the_trunk_sees_each_picture_once(model, goldfish, tmp_path, trunk_runs):
    pictures = [
        LabelledImage(shutil.copy(p.path, tmp_path / f"copy-{p.name}"), p.label) for p in goldfish
    ]
    for copy in tmp_path.iterdir():  # trailing bytes make it new to the memory, not to the eye
        copy.write_bytes(copy.read_bytes() + secrets.token_bytes(8))

    for rank in (1, 2):
        for placement in Placement:
            spec = AdapterSpec(model.name, placement, rank)
            last(train(model, pictures, spec, TrainingSettings(3)))

    assert trunk_runs == [1] * len(pictures)


def test_what_many_read_at_once_goes_through_the_trunk_once(model, goldfish, tmp_path, trunk_runs):
    path = tmp_path / "new.png"
    path.write_bytes(goldfish[0].path.read_bytes() + secrets.token_bytes(8))

    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda _: read_features(model, path), range(8)))

    assert trunk_runs == [1]
    assert all(features.trunk is read[0].trunk for features in read)


@pytest.mark.parametrize("fixture", ["model", "random_vgg19"])
@pytest.mark.slow
def test_the_loss_curve_is_that_of_the_plain_loop(request, goldfish, fixture):
    """The article's recipe, rank 10 on the pixels, the frozen network rerun for every batch."""
    model = request.getfixturevalue(fixture)
    epochs = 30 if fixture == "model" else 4
    features = read_feature_set(model, goldfish)
    x = features.pixels.view(-1, 3, model.input_px, model.input_px)
    network = torch.nn.Sequential(model.trunk, model.classifier)

    ours = last(fit(model, features, AdapterSpec(model.name), TrainingSettings(epochs))).points
    lora = PlainLora(features.pixels.shape[1], 1000)
    plain = list(plain_losses(network, lora, x, features.labels, epochs))

    assert [point.loss for point in ours] == pytest.approx(plain, abs=1e-4)
    assert ours[-1].loss < ours[0].loss


@pytest.mark.parametrize(
    "rank", [10, *(pytest.param(rank, marks=pytest.mark.slow) for rank in (1, 2, 7, 11))]
)
def test_the_loss_curve_is_that_of_the_plain_loop_at_every_rank(model, features, rank):
    x = features.pixels.view(-1, 3, model.input_px, model.input_px)
    network = torch.nn.Sequential(model.trunk, model.classifier)
    spec = AdapterSpec(model.name, Placement.PIXELS, rank)

    ours = last(fit(model, features, spec, TrainingSettings(8))).points
    lora = PlainLora(features.pixels.shape[1], 1000, rank)

    plain = list(plain_losses(network, lora, x, features.labels, 8))
    assert [point.loss for point in ours] == pytest.approx(plain, abs=1e-4)


@pytest.mark.parametrize("placement", [Placement.PIXELS, Placement.HEAD])
def test_equal_seeds_equal_losses(model, features, placement):
    def losses(seed):
        seeded = AdapterSpec(model.name, placement, 4, seed)
        return [p.loss for p in last(fit(model, features, seeded, TrainingSettings(5))).points]

    assert losses(1) == losses(1) != losses(2)


@pytest.mark.parametrize("placement", [Placement.HEAD, Placement.CLASSIFIER, Placement.PIXELS])
def test_the_order_of_more_than_a_batch_comes_from_the_seed_alone(model, three_sets, placement):
    def losses(seed: int) -> list[float]:
        torch.manual_seed(seed + 1)
        torch.rand(seed + 3)  # somebody else's numbers
        state = torch.get_rng_state()
        spec = AdapterSpec(model.name, placement, 2, seed=7)
        points = last(fit(model, three_sets, spec, TrainingSettings(3))).points
        assert torch.get_rng_state().equal(state)
        return [point.loss for point in points]

    assert losses(0) == losses(1)


def test_a_closed_generator_leaves_a_usable_adapter(model, features, spec):
    steps = fit(model, features, spec)
    progress = [next(steps) for _ in range(3)][-1]
    steps.close()

    logits = progress.adapter.logits(features)
    assert len(progress.points) == 3
    assert logits.isfinite().all()
    assert not torch.equal(logits, features.logits)


def test_guarded_moves_only_the_taught_classes(model, features):
    spec = AdapterSpec(model.name, Placement.GUARDED, rank=10, class_names=("goldfish",))
    adapter = last(fit(model, features, spec)).adapter
    delta = adapter.logits(features) - features.logits
    taught = model.categories.index("goldfish")

    assert (delta[:, taught] > 1).all()
    assert not delta[:, [c for c in range(1000) if c != taught]].any()
    assert torch.equal(adapter.lora.A, new_adapter(spec, model, features).lora.A)
    assert torch.linalg.matrix_rank(adapter.lora.A.detach() @ adapter.lora.B.detach()) == 1


@pytest.mark.parametrize("repeat", [[0, 0, 0, 0, 0], [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]], ids=str)
def test_the_same_picture_twice_adds_no_direction(model, features, repeat):
    repeated = features.pick(torch.tensor(repeat))

    twice = directions(model, repeated, 10)

    assert twice.shape == (1280, len(set(repeat)))


def test_several_guarded_classes_are_learned_at_once(model):
    names = ("goldfish", "snail", "teapot")
    folders = [read_class_folder(DATA / name, model.categories) for name in names]
    pictures = [picture for folder in folders for picture in folder]
    spec = AdapterSpec(model.name, Placement.GUARDED, class_names=names)

    adapter = last(train(model, pictures, spec)).adapter

    examples = read_feature_set(model, pictures)
    assert (adapter.logits(examples).argmax(1) == examples.labels).float().mean() >= 0.9
    assert set(adapter.lora.B.any(0).nonzero()[:, 0].tolist()) == set(examples.labels.tolist())


def test_a_label_that_the_spec_does_not_announce_is_named(model, features):
    unknown = replace(features, labels=features.labels + 999)

    for learn in (fit, leave_one_out):
        with pytest.raises(LoraDemoError, match="new word that class_names does not list"):
            last(learn(model, unknown, AdapterSpec(model.name)))


def test_examples_without_pixels_are_refused_where_pixels_are_read(model, goldfish):
    features = last(read_examples(model, goldfish, with_pixels=False)).features

    for learn in (fit, leave_one_out):
        with pytest.raises(LoraDemoError, match="read without their pixels"):
            last(learn(model, features, AdapterSpec(model.name, Placement.PIXELS)))


@pytest.mark.slow
def test_all_linear_layers_learn_and_start_from_nothing(random_vgg19, goldfish):
    spec = AdapterSpec("vgg19", Placement.CLASSIFIER, rank=2, class_names=("goldfish",))
    features = read_feature_set(random_vgg19, goldfish)
    assert torch.equal(new_adapter(spec, random_vgg19).logits(features), features.logits)

    progress = last(fit(random_vgg19, features, spec, TrainingSettings(8)))
    adapter = progress.adapter

    shapes = [tuple(lora.A.shape) + tuple(lora.B.shape) for lora in adapter.loras]
    assert shapes == [(25088, 2, 2, 4096), (4096, 2, 2, 4096), (4096, 2, 2, 1000)]
    assert all(lora.B.any() for lora in adapter.loras)
    assert progress.points[-1].loss < progress.points[0].loss - 1
    assert torch.equal(adapter.logits(features, strength=0), features.logits)


@torch.no_grad()
@pytest.mark.slow
def test_all_linear_layers_add_up_to_the_network_with_merged_weights(random_vgg19, goldfish):
    spec = AdapterSpec("vgg19", Placement.CLASSIFIER, rank=2)
    adapter = new_adapter(spec, random_vgg19)
    features = read_feature_set(random_vgg19, goldfish[:2])
    for lora in adapter.loras:
        lora.B.normal_(generator=torch.Generator().manual_seed(0), std=0.1)

    x, loras = features.trunk, iter(adapter.loras)
    for layer in random_vgg19.classifier:
        lora = next(loras) if isinstance(layer, torch.nn.Linear) else None
        x = F.linear(x, layer.weight + (lora.A @ lora.B).T, layer.bias) if lora else layer(x)

    torch.testing.assert_close(adapter.logits(features), x, rtol=1e-3, atol=1e-3)


def test_guarded_directions_leave_out_what_the_classes_share(model, features):
    guarded = directions(model, features, 5)
    plain = torch.linalg.svd(features.head_input.T, full_matrices=False)[0][:, :5]
    rows = F.normalize(model.head.weight.relu(), dim=1)

    def answer_of_the_classes(columns):
        scaled = columns / (features.head_input @ columns).norm(dim=1).mean()
        return (rows @ scaled).norm(dim=1).mean()

    assert answer_of_the_classes(guarded) < answer_of_the_classes(plain) / 3


@pytest.mark.parametrize(
    ("examples", "needed", "strength"),
    [
        (1, [], 1.5),
        (5, [], 0.892),
        (1000, [], 0.741),
        (5, [0.4] * 5, 0.86),  # 0.892 and 1.3 sqrt(0.4), which count as six and five pictures
        (5, [0.2, 0.2, 0.2, 0.2, 0.2, math.inf], 0.720),  # an odd one changes nothing
        (5, [math.inf] * 5, 1.059),  # as if each needed 1
        (23, [0.3] * 23, 0.724),
        (1000, [0.0] * 1000, 0.5),  # never below the dial's lower part
    ],
)
def test_the_automatic_strength_follows_its_rule(examples, needed, strength):
    assert guarded_strength(examples, torch.tensor(needed)) == pytest.approx(strength, abs=6e-3)


@pytest.mark.parametrize("needed", [[], [0.0], [math.inf], [0.0] * 1000, [math.inf] * 1000])
@pytest.mark.parametrize("examples", [1, 1.5, 7, 50, 1000])
def test_the_automatic_strength_never_leaves_the_dial(examples, needed):
    assert 0.5 <= guarded_strength(examples, torch.tensor(needed)) <= MAX_STRENGTH


def test_merged_weights_give_the_adapters_logits(model, features):
    adapter = last(fit(model, features, AdapterSpec(model.name, Placement.HEAD))).adapter
    merged = model.head.weight + 1.5 * (adapter.lora.A @ adapter.lora.B).T  # (C, D)

    logits = features.head_input @ merged.T + model.head.bias

    torch.testing.assert_close(logits, adapter.logits(features, 1.5), rtol=1e-4, atol=1e-3)


def test_a_set_of_the_largest_size_fits_the_memory(model, random_vgg19, goldfish):
    for network in (model, random_vgg19):
        features = read_features(network, goldfish[0].path, with_pixels=False)

        assert MAX_PICTURES * features.nbytes <= FEATURE_BYTES


def test_pixels_that_are_remembered_no_more_are_read_again(
    model, goldfish, trunk_runs, monkeypatch
):
    first = read_features(model, goldfish[0].path)
    room_for_one = LRUCache(first.pixels.nbytes, attrgetter("nbytes"))
    monkeypatch.setattr(features_room, "_pixels", room_for_one)
    trunk_runs.clear()

    for picture in [*goldfish, goldfish[0]]:
        again = read_features(model, picture.path)

    assert len(room_for_one) == 1
    assert trunk_runs == []
    assert all(torch.equal(tensor, vars(first)[name]) for name, tensor in vars(again).items())


def test_an_adapter_that_is_kept_keeps_no_gradients(model, features, spec):
    adapter = last(fit(model, features, spec, TrainingSettings(2))).adapter

    assert all(parameter.grad is None for parameter in adapter.parameters())


def test_several_classes_are_learned_at_once(model, goldfish, features):
    pictures = [LabelledImage(p.path, ("snail", "teapot")[i % 2]) for i, p in enumerate(goldfish)]

    enough = TrainingSettings(300)
    progress = last(train(model, pictures, AdapterSpec(model.name, Placement.HEAD), enough))
    answers = progress.adapter.logits(read_feature_set(model, pictures)).argmax(1)

    assert [model.categories[i] for i in answers] == [p.label for p in pictures]


def test_reading_and_fitting_report_progress_and_time_left(model, goldfish, spec):
    steps = list(train(model, goldfish, spec, TrainingSettings(10)))
    reading, fitting = steps[:7], steps[7:]

    assert [step.pictures_read for step in reading] == [0, 1, 2, 3, 4, 5, 5]
    assert [step.features is None for step in reading] == [True] * 6 + [False]
    assert [len(step.points) for step in fitting] == list(range(1, 11))
    assert reading[0].seconds_left is None
    assert all(step.seconds_left >= 0 for step in steps[1:])
    assert steps[-1].seconds_left == 0
    assert steps[-1].done
    assert not steps[-2].done


def test_a_bad_file_is_left_out_and_the_others_go_on(model, goldfish, tmp_path, spec):
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    pictures = [*goldfish[:2], LabelledImage(tmp_path / "broken.jpg", "goldfish")]

    *_, reading = read_examples(model, pictures)

    assert reading.pictures_read == len(reading.features.labels) == 2
    assert [error.file_name for error in reading.refused] == ["broken.jpg"]
    assert last(train(model, pictures, spec, TrainingSettings(2))).done


def test_a_refused_picture_took_its_time_and_is_not_waited_for(model, goldfish, tmp_path, spec):
    bad = [LabelledImage(tmp_path / f"{number}.png", "goldfish") for number in (1, 2)]
    for picture in bad:
        picture.path.write_bytes(b"no picture")
    pictures = [*bad, *goldfish[:2]]

    reading = list(train(model, pictures, spec, TrainingSettings(1)))[:5]

    assert [len(step.refused) for step in reading] == [0, 1, 2, 2, 2]
    assert reading[0].seconds_left is None
    assert reading[1].seconds_left > 0
    assert reading[2].seconds_left > 0
    assert reading[4].seconds_left == 0


def test_no_readable_picture_at_all_is_an_error(model, tmp_path, spec):
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")

    with pytest.raises(LoraDemoError, match=r"None of the pictures.*“broken.jpg”"):
        last(train(model, [LabelledImage(tmp_path / "broken.jpg", "goldfish")], spec))


def test_a_training_that_overflows_ends_with_a_sentence(model, features):
    endless = replace(features, pixels=features.pixels * 1e38)

    with pytest.raises(DivergedError, match=r"ran away.*smaller step size.*than 0.001"):
        last(fit(model, endless, AdapterSpec(model.name)))


def test_a_training_that_ends_worse_than_it_began_says_what_to_lower(model):
    folders = [
        read_class_folder(DATA / n, model.categories) for n in ("goldfish", "snail", "teapot")
    ]
    features = read_feature_set(model, [picture for folder in folders for picture in folder])
    steps = fit(model, features, AdapterSpec(model.name, rank=1), TrainingSettings(20, 1.0))

    with pytest.raises(DivergedError, match=r"in 20 rounds .* than 1: 0.001 is a good start"):
        last(steps)


@pytest.mark.parametrize("count", [0, 1001])
def test_too_few_or_too_many_pictures_are_refused(model, goldfish, spec, count):
    with pytest.raises(LoraDemoError, match="at least 1 and at most 1,000"):
        last(train(model, goldfish[:1] * count, spec))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"rank": 0}, "rank is 0.*1 to 64"),
        ({"rank": 10**9}, "rank is 1000000000.*1 to 64"),
        ({"seed": -1}, "seed is -1"),
        ({"corrections": -1}, "corrections is -1.*0 to 1,000"),
        ({"corrections": 1001}, "corrections is 1001.*0 to 1,000"),
        ({"corrections": True}, "corrections is True.*0 to 1,000"),
        ({"corrections": 2.0}, "corrections is 2.0.*0 to 1,000"),
        (
            {"placement": "everywhere"},
            "placement is “everywhere”.*pixels, head, guarded, classifier",
        ),
    ],
    ids=str,
)
def test_a_wrong_spec_is_named_with_its_value(values, text):
    with pytest.raises(LoraDemoError, match=text):
        AdapterSpec("vgg19", **values)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"epochs": 0}, "epochs is 0.*1 to 1,000"),
        ({"epochs": 10**9}, "epochs is 1000000000"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": 0}, "learning_rate is 0"),
    ],
    ids=str,
)
def test_wrong_settings_are_named_with_their_value(values, text):
    with pytest.raises(LoraDemoError, match=text):
        TrainingSettings(**values)


def test_the_articles_lora_has_the_articles_size(random_vgg19):
    size = adapter_size(AdapterSpec("vgg19", Placement.PIXELS, 10), random_vgg19)

    assert size.trainable_parameters == 1_515_280
    assert size.share == pytest.approx(0.01055, abs=1e-5)
    assert size.file_bytes == 4 * 1_515_280
