"""Train the LoRAs of others on the last layer of the same frozen network."""

from __future__ import annotations

from collections.abc import Callable

import torch
from peft import EvaConfig, LoraConfig, get_peft_model, initialize_lora_eva_weights
from peft.tuners.lora.config import CordaConfig
from peft.tuners.lora.corda import preprocess_corda
from torch import Tensor, nn
from torch.nn import functional as F

from lora_demo import FeatureSet, FrozenModel
from lora_demo.backbones.features import Features

Answer = Callable[[Features], Tensor]
Peer = Callable[[FrozenModel, FeatureSet, Features], Answer]  # learned from, photos of its own
Start = Callable[[FrozenModel, FeatureSet, Features], nn.Module]  # features to logits

SURE = 0.9  # the probability that an example's class has when a training may end
MOST_EPOCHS = 4000


def train(head: nn.Module, learned: FeatureSet, learning_rate: float, epochs: int | None) -> Answer:
    """Train for so many epochs, or until every example is sure and no correction is captured.

    A correction's target is what the base model answers. Without dropout, warm-up or decay of the
    rate: they are for long trainings.
    """
    trained = [p for p in head.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=learning_rate)
    corrects = ~learned.is_example
    labels, base = learned.labels[~corrects], learned.logits[corrects]
    for _ in range(epochs or MOST_EPOCHS):
        logits = head(learned.head_input)
        loss = F.cross_entropy(logits[~corrects], labels)
        own = logits[~corrects].softmax(1).gather(1, labels[:, None])
        as_before = logits[corrects].argmax(1) == base.argmax(1)
        if not epochs and bool((own > SURE).all() and as_before.all()):
            break
        if corrects.any():
            loss = loss + F.cross_entropy(logits[corrects], base.softmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return lambda features: head(features.head_input)


def trained(start: Start, learning_rate: float, epochs: int | None = None) -> Peer:
    return lambda model, learned, photos: train(
        start(model, learned, photos), learned, learning_rate, epochs
    )


def with_peft(init: bool | str = True, rank: int = 8, alpha: float = 8) -> Start:
    """Start as PEFT does for this `init_lora_weights`; it splits W where A and B are not zero."""

    def start(model: FrozenModel, learned: FeatureSet, photos: Features) -> nn.Module:
        torch.manual_seed(0)
        head = nn.Sequential(nn.Linear(*reversed(model.head.weight.shape)))
        head[0].load_state_dict(model.head.state_dict())
        r = rank
        if init == "eva":  # no more directions than pictures; PEFT, too, keeps alpha / rank then
            r = min(rank, len(learned.labels))
        config = LoraConfig(
            target_modules=["0"],
            init_lora_weights=init,
            r=r,
            lora_alpha=alpha * r / rank,
            corda_config=CordaConfig(corda_method="kpm") if init == "corda" else None,
            eva_config=EvaConfig() if init == "eva" else None,
        )
        if init == "corda":
            preprocess_corda(head, config, lambda: head(photos.head_input))
        wrapped = get_peft_model(head, config, low_cpu_mem_usage=init == "eva")
        if init == "eva":  # all at once: PEFT's incremental SVD is for what does not fit in memory
            directions = torch.linalg.svd(learned.head_input, full_matrices=False).Vh[:r]
            initialize_lora_eva_weights(wrapped, eva_state_dict={"base_model.model.0": directions})
        return wrapped

    return start


class LoraHead(nn.Module):
    """W x + b + P B A Q x - B0 A0 x: P and Q take the columns of `left` and `right` out."""

    def __init__(self, head: nn.Linear, a: Tensor, b: Tensor, left: Tensor, right: Tensor):
        super().__init__()
        self.A, self.B = nn.Parameter(a), nn.Parameter(b)  # (r, D), (n, r)
        self.left, self.right = left, right  # (n, k), (D, k)
        self.residual, self.bias = head.weight.detach() - b @ a, head.bias.detach()

    def forward(self, x: Tensor) -> Tensor:
        inside = x - x @ self.right @ self.right.T
        update = inside @ self.A.T @ self.B.T
        return F.linear(x, self.residual, self.bias) + update - update @ self.left @ self.left.T


def in_null_space(rank: int, freeze: bool) -> Start:
    """Start as LoRA-Null does (Tang et al. 2025, arXiv 2503.02659): W = residual + B A.

    B A is the part of W that reads directions in which no photo lies, or, if photos lie in all of
    them, those with the least. Fewer photos than features leave many; B A is then cut to `rank`.
    """

    def start(model: FrozenModel, learned: FeatureSet, photos: Features) -> nn.Module:
        weight, x = model.head.weight.detach(), photos.head_input
        most = min(len(x), weight.shape[1] - rank)
        null = torch.linalg.svd(x, full_matrices=True).Vh[most:]
        u, s, v = torch.linalg.svd(weight @ null.T @ null, full_matrices=False)
        root = s[:rank].sqrt()
        a, b = root[:, None] * v[:rank], u[:, :rank] * root
        none = weight.new_zeros
        head = LoraHead(model.head, a, b, none(len(weight), 0), none(weight.shape[1], 0))
        head.A.requires_grad_(not freeze)
        return head

    return start


def off_leading_directions(rank: int, kept: int) -> Start:
    """Start as OPLoRA does (Xiong & Xie 2025, arXiv 2510.13003): off W's leading directions."""

    def start(model: FrozenModel, learned: FeatureSet, photos: Features) -> nn.Module:
        torch.manual_seed(0)
        weight = model.head.weight.detach()
        u, _, v = torch.linalg.svd(weight, full_matrices=False)
        a = nn.Linear(weight.shape[1], rank, bias=False).weight.detach()  # as LoRA's A starts
        b = weight.new_zeros(len(weight), rank)
        return LoraHead(model.head, a, b, u[:, :kept], v[:kept].T)

    return start


# Rank, alpha and learning rate are those of the paper or of PEFT's example for it, where they say.
LORAS: dict[str, tuple[Start, float]] = {
    "peft-stopped": (with_peft(), 1e-3),
    "peft-olora": (with_peft("olora", rank=32, alpha=16), 3e-4),  # PEFT's example
    "peft-pissa": (with_peft("pissa", rank=128, alpha=128), 2e-5),  # PEFT's, at CorDA's rank
    "peft-eva": (with_peft("eva", rank=16, alpha=1), 5e-4),  # PEFT's example
    "peft-orthogonal": (with_peft("orthogonal"), 1e-3),  # PEFT's defaults: there is no paper
    "peft-corda": (with_peft("corda", rank=128, alpha=128), 2e-5),  # PEFT's example
    "lora-null": (in_null_space(128, freeze=False), 2e-5),  # the authors' script
    "lora-null-v2": (in_null_space(128, freeze=True), 2e-4),  # theirs: not there at 4000 epochs
    "oplora": (off_leading_directions(128, kept=128), 2e-5),  # ours, like those above
}
PEERS: dict[str, Peer] = {
    "peft": trained(with_peft(), learning_rate=1e-3, epochs=100),  # its defaults, and no end
    **{name: trained(*settings) for name, settings in LORAS.items()},
}
