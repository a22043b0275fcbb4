"""What others do with the same pictures, on the last layer of the same frozen network."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.nn import functional as F

from lora_demo import FeatureSet, FrozenModel
from lora_demo.backbones.features import Features
from tests.benchmarks.tasks import NONE_OF_THESE

EPOCHS = 100


def answer_with_peft(model: FrozenModel, learned: FeatureSet) -> Callable[[Features], Tensor]:
    """PEFT's LoRA on the last layer with its own defaults, trained the plain way."""
    torch.manual_seed(0)
    wrapped = get_peft_model(nn.Sequential(copy_head(model)), LoraConfig(target_modules=["0"]))
    train(wrapped, wrapped.parameters(), learned, learning_rate=1e-3)
    return lambda features: wrapped(features.head_input)


def copy_head(model: FrozenModel) -> nn.Linear:
    head = nn.Linear(*reversed(model.head.weight.shape))
    head.load_state_dict(model.head.state_dict())
    return head


def train(
    logits: Callable[[Tensor], Tensor],
    parameters: Iterable[nn.Parameter],
    learned: FeatureSet,
    learning_rate: float,
) -> None:
    """Train the plain way. A correction's target is what the base model answers."""
    optimizer = torch.optim.Adam([p for p in parameters if p.requires_grad], lr=learning_rate)
    corrects = learned.labels == NONE_OF_THESE
    examples, corrections = learned.pick(~corrects), learned.pick(corrects)
    for _ in range(EPOCHS):
        loss = F.cross_entropy(logits(examples.head_input), examples.labels)
        if corrects.any():
            kept = corrections.logits.softmax(1)
            loss = loss + F.cross_entropy(logits(corrections.head_input), kept)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
