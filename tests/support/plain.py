"""Everybody's way, for comparison: the frozen network is run again for every batch."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lora_demo.lora.training import BATCH_SIZE


class PlainLora(nn.Module):
    """The article's module: its state_dict is `lora.pth`."""

    def __init__(self, m: int, n: int, rank: int = 10, seed: int = 0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.A = nn.Parameter(torch.randn(m, rank, generator=generator))
        self.B = nn.Parameter(torch.zeros(rank, n))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.A @ self.B


def plain_losses(
    network: nn.Module,
    lora: PlainLora,
    x: Tensor,
    labels: Tensor,
    epochs: int,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> Iterator[float]:
    """One mean loss an epoch; x (N, 3, H, W), labels (N,)."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(lora.parameters(), lr=learning_rate)
    for _ in range(epochs):
        total = 0.0
        for batch in torch.randperm(len(x), generator=generator).split(BATCH_SIZE):
            with torch.no_grad():
                base = network(x[batch])
            targets = F.one_hot(labels[batch], base.shape[1]).float()
            loss = F.cross_entropy(base + lora(x[batch]), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        yield total / len(x)


def peft_losses(
    network: nn.Module,
    layer: str,
    x: Tensor,
    labels: Tensor,
    epochs: int,
    rank: int = 10,
    learning_rate: float = 1e-3,
) -> Iterator[float]:
    """PEFT's LoRA on one layer of the network, which it changes; else as above."""
    from peft import LoraConfig, get_peft_model  # here: it takes memory that the others measure

    wrapped = get_peft_model(network, LoraConfig(r=rank, target_modules=[layer]))
    trained = [p for p in wrapped.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=learning_rate)
    for _ in range(epochs):
        total = 0.0
        for batch in torch.arange(len(x)).split(BATCH_SIZE):
            loss = F.cross_entropy(wrapped(x[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        yield total / len(x)
