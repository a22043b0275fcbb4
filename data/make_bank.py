"""Draw the bank: pictures of nothing in three styles. What they share is the style alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

FOLDER = Path(__file__).parents[1] / "lora_demo" / "backbones" / "bank"
SIDE_PX = 256
SUPERSAMPLING = 2
EACH = 12  # pictures of a style
Points = list[tuple[float, float]]


class Canvas:
    """A sheet on which random shapes are drawn; lengths are in pixels of the finished picture."""

    def __init__(self, rng: np.random.Generator, paper: tuple[int, ...]) -> None:
        self.rng = rng
        self.image = Image.new("RGB", [SIDE_PX * SUPERSAMPLING] * 2, paper)
        self.pen = ImageDraw.Draw(self.image)

    def blob(self, x: float, y: float, size: float, uneven: float = 0.45) -> Points:
        """Points of a smooth closed curve that is nothing in particular."""
        turn, wide = self.rng.uniform(0, 2 * np.pi), self.rng.uniform(0.7, 1.3)
        angles = np.linspace(0, 2 * np.pi, 120)
        reach = np.ones_like(angles)
        for waves in range(1, 6):
            phase = self.rng.uniform(0, 2 * np.pi)
            reach += uneven / waves * self.rng.uniform(-1, 1) * np.sin(waves * angles + phase)
        across, down = size * reach * np.cos(angles) * wide, size * reach * np.sin(angles) / wide
        s, c = np.sin(turn), np.cos(turn)
        return list(zip(x + across * c - down * s, y + across * s + down * c, strict=True))

    def line(self, points: Points, colour: object, width: float) -> None:
        scaled = [(x * SUPERSAMPLING, y * SUPERSAMPLING) for x, y in points]
        self.pen.line(scaled, colour, round(width * SUPERSAMPLING), "curve")

    def fill(self, points: Points, colour: object, outline: float = 0) -> None:
        self.pen.polygon([(x * SUPERSAMPLING, y * SUPERSAMPLING) for x, y in points], colour)
        if outline:
            self.line([*points, points[0]], "#111", outline)

    def colour(self, low: int = 40, high: int = 255) -> tuple[int, ...]:
        return tuple(self.rng.integers(low, high, 3).tolist())

    def middle(self, apart: float) -> tuple[float, float]:
        x, y = SIDE_PX / 2 + self.rng.uniform(-apart, apart, 2)
        return x, y

    def some(self, points: Points, count: int) -> Points:
        return [points[place] for place in self.rng.integers(0, len(points), count)]


def pen_drawing(rng: np.random.Generator) -> Image.Image:
    """Lines on white paper, some hatching."""
    canvas, width = Canvas(rng, (255, 255, 255)), rng.choice([1.0, 1.5, 2.0])
    body = canvas.blob(*canvas.middle(15), rng.uniform(55, 85))
    canvas.line(body, "black", width)
    for x, y in canvas.some(body, rng.integers(4, 13)):  # limbs, ears and the like
        part = canvas.blob(x + rng.uniform(-15, 15), y + rng.uniform(-15, 15), rng.uniform(6, 35))
        canvas.line(part[: rng.integers(40, 120)], "black", width)
    for _ in range(rng.integers(0, 4)):
        x, y = canvas.middle(50)
        for step in range(rng.integers(4, 12)):
            canvas.line([(x + 3.5 * step, y), (x + 3.5 * step - 7, y + 15)], "black", width / 2)
    x, y = canvas.middle(30)
    canvas.fill(canvas.blob(x, y, 3, 0), "black")
    return canvas.image


def cartoon(rng: np.random.Generator) -> Image.Image:
    """Flat colours, often with outlines."""
    canvas = Canvas(rng, (255, 255, 255))
    if rng.random() < 0.4:
        canvas.fill([(0, 0), (256, 0), (256, 256), (0, 256)], canvas.colour(150))
        horizon = rng.uniform(150, 200)
        canvas.fill([(0, horizon), (256, horizon), (256, 256), (0, 256)], canvas.colour(90, 230))
    outline, main = rng.choice([0, 1.5, 2.5, 3.5]), canvas.colour()
    body = canvas.blob(*canvas.middle(15), rng.uniform(50, 80), 0.4)
    for x, y in canvas.some(body, rng.integers(3, 9)):
        part = canvas.blob(x, y, rng.uniform(10, 40), 0.4)
        canvas.fill(part, main if rng.random() < 0.6 else canvas.colour(), outline)
    canvas.fill(body, main, outline)
    for _ in range(rng.integers(2, 8)):
        patch = canvas.blob(*canvas.middle(55), rng.uniform(4, 22), 0.4)
        canvas.fill(patch, canvas.colour(), outline * 0.6 * (rng.random() < 0.6))
    return canvas.image


def painting(rng: np.random.Generator) -> Image.Image:
    """Brush strokes over all of the canvas, and a shape in other colours."""
    sky, ground, main = (Canvas(rng, (0, 0, 0)).colour(40, 225) for _ in range(3))
    canvas = Canvas(rng, sky)
    mask = Canvas(rng, (0, 0, 0))
    mask.fill(mask.blob(128, 128, rng.uniform(45, 80), 0.4), "white")
    inside = np.asarray(mask.image.resize([SIDE_PX] * 2).convert("L")) > 127
    length, width, heading = rng.uniform(5, 22), rng.uniform(1.5, 7), rng.uniform(0, np.pi)
    for x, y in rng.integers(0, SIDE_PX, (round(4500 / width), 2)):
        base = main if inside[y, x] else sky if y < 0.6 * SIDE_PX else ground
        light = rng.uniform(-45, 45) + (x + y - SIDE_PX) / 5 * inside[y, x]
        colour = np.clip(np.array(base) + light + rng.uniform(-15, 15, 3), 0, 255)
        turn = heading + rng.uniform(-0.7, 0.7)
        end = x + length * np.cos(turn), y + length * np.sin(turn)
        canvas.line([(x, y), end], tuple(colour.astype(int).tolist()), width)
    return canvas.image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2)))


STYLES: dict[str, Callable[[np.random.Generator], Image.Image]] = {
    "pen": pen_drawing,
    "cartoon": cartoon,
    "painting": painting,
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for number, (style, draw) in enumerate(STYLES.items()):
        for place in range(EACH):
            image = draw(np.random.default_rng([number, place])).resize([SIDE_PX] * 2)
            image.save(FOLDER / f"{style}-{place + 1:02}.webp", quality=80, method=6)


if __name__ == "__main__":
    main()
