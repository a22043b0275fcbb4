"""The trainings against others' code: PEFT's LoRA in the plain loop, and autograd."""

import copy
from collections import OrderedDict
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lora_demo import AdapterSpec, Placement, TrainingSettings, fit
from lora_demo.backbones.features import NONE_OF_THESE
from lora_demo.lora.logistic import FIT_STRENGTH
from tests.support.plain import BATCH_SIZE

EPOCHS = 12


def peft_training(model, lora, features, settings) -> list[float]:
    """PEFT's LoRA on the last layer, begun with our A; the whole network is run for each batch."""
    peft = pytest.importorskip("peft")
    parts = OrderedDict(
        trunk=copy.deepcopy(model.trunk), classifier=copy.deepcopy(model.classifier)
    )
    network, layer = nn.Sequential(parts), f"classifier.{len(model.classifier) - 1}"
    config = peft.LoraConfig(r=lora.A.shape[1], lora_alpha=lora.A.shape[1], target_modules=[layer])
    wrapped = peft.get_peft_model(network, config)
    trained = {name: p for name, p in wrapped.named_parameters() if p.requires_grad}
    a, b = (next(p for n, p in trained.items() if f"lora_{part}" in n) for part in "AB")
    with torch.no_grad():
        a.copy_(lora.A.T)
    x = features.pixels.view(-1, 3, model.input_px, model.input_px)
    generator = torch.Generator().manual_seed(0)
    optimizer, losses = torch.optim.Adam(trained.values(), lr=settings.learning_rate), []
    for _ in range(settings.epochs):
        total = 0.0
        for batch in torch.randperm(len(x), generator=generator).split(BATCH_SIZE):
            loss = F.cross_entropy(wrapped(x[batch]), features.labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        losses.append(total / len(x))
    lora.A.data, lora.B.data = a.detach().T, b.detach().T
    return losses


@pytest.mark.slow
@pytest.mark.parametrize("count", [5, 15], ids=["one batch", "two batches"])
def test_head_is_pefts_lora_on_the_last_layer(model, three_sets, count):
    features, settings = three_sets.pick(slice(count)), TrainingSettings(EPOCHS, 0.01)
    spec = AdapterSpec(model.name, Placement.HEAD, 4)
    *_, untrained = fit(model, features, spec, TrainingSettings(1, 1e-30))
    theirs = untrained.adapter.lora

    expected = peft_training(model, theirs, features, settings)
    *_, ours = fit(model, features, spec, settings)

    assert [point.loss for point in ours.points] == pytest.approx(expected, rel=1e-4)
    assert expected[-1] < 0.5 * expected[0]
    torch.testing.assert_close(ours.adapter.lora.B, theirs.B, rtol=0, atol=2e-3)
    torch.testing.assert_close(ours.adapter.lora.A, theirs.A, rtol=0, atol=2e-3)


def columns_by_autograd(features, classes, ours, loss_of) -> tuple[list[float], torch.Tensor]:
    """Train B's columns of these classes on Adam, A as it is; loss_of what they add to logits."""
    b = torch.zeros(4, len(classes), requires_grad=True)
    optimizer, losses = torch.optim.Adam([b], lr=ours.settings.learning_rate), []
    x = features.head_input @ ours.adapter.lora.A
    for _ in range(ours.settings.epochs):
        loss = loss_of(torch.zeros_like(features.logits).index_add(1, classes, x @ b))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, b


@pytest.mark.parametrize("count", [1, 5, 15])
def test_guarded_follows_the_gradient_that_autograd_finds(model, three_sets, count):
    """B's columns of the taught classes, on Adam, A as it is, at half strength."""
    features, settings = three_sets.pick(slice(count)), TrainingSettings(40, 0.1)
    spec = AdapterSpec(model.name, Placement.GUARDED, 4)
    *_, ours = fit(model, features, spec, settings)

    classes = features.labels.unique()

    def loss_of(delta: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(features.logits + FIT_STRENGTH * delta, features.labels)

    losses, b = columns_by_autograd(features, classes, ours, loss_of)
    assert [point.loss for point in ours.points] == pytest.approx(losses, rel=1e-4, abs=1e-5)
    torch.testing.assert_close(ours.adapter.lora.B[:, classes], b.detach(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("goldfish", "snails", "corrections"), [(5, 0, 3), (1, 0, 1), (5, 1, 0), (2, 5, 5)]
)
def test_guarded_weighs_classes_the_same_and_corrections_as_much_as_all_of_them(
    model, three_sets, goldfish, snails, corrections
):
    """Examples at half strength, corrections at full strength towards the base model's answer.

    What is taught is what the base model calls a correction, so that there is much to leave alone.
    """
    rows = torch.tensor([*range(goldfish), *range(5, 5 + snails), *range(10, 10 + corrections)])
    first, second = three_sets.logits[10].topk(2).indices
    labels = torch.where(rows < 5, first, second).masked_fill(rows >= 10, NONE_OF_THESE)
    features, settings = replace(three_sets.pick(rows), labels=labels), TrainingSettings(40, 0.1)
    *_, ours = fit(model, features, AdapterSpec(model.name, Placement.GUARDED, 4), settings)

    classes = labels[labels >= 0].unique()
    parts = [features.pick(labels == label) for label in classes]

    def loss_of(delta: torch.Tensor) -> torch.Tensor:
        answers = features.logits + FIT_STRENGTH * delta
        loss = torch.zeros(())
        for label, part in zip(classes, parts, strict=True):
            loss += F.cross_entropy(answers[labels == label], part.labels) / len(classes)
        if corrections:
            none = labels == NONE_OF_THESE
            before, after = (
                z[none].log_softmax(1) for z in (features.logits, features.logits + delta)
            )
            loss += (before.exp() * (before - after)).sum(1).mean()
        return loss

    losses, b = columns_by_autograd(features, classes, ours, loss_of)
    assert [point.loss for point in ours.points] == pytest.approx(losses, rel=1e-4, abs=1e-5)
    torch.testing.assert_close(ours.adapter.lora.B[:, classes], b.detach(), rtol=1e-3, atol=1e-3)
