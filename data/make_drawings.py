"""Draw the sample pictures: three categories, each with five to learn from and five held out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFilter

SUPERSAMPLING = 3
PALETTE_SIZE = 64
# Paper, medium, line, fill and accent colours, width, height, scale, x, y, tilt, facing, extras.
# The base network gets every one of them wrong: measure that again after any change.
DRAWINGS = {
    "goldfish": """
        white marker #222 orange orangered 416 400 .86 .12 .06 -6 right scales bubbles
        lined pencil #444 darkorange gold 416 400 .78 -.1 .06 -8 left scales bubbles
        kraft crayon #3a2416 orangered gold 432 384 .88 .12 -.04 4 right scales
        white watercolour #333 orangered orange 400 432 .56 -.06 .22 -4 left bowl weed
        pink crayon firebrick red orange 400 400 .84 .14 .08 -14 right waves bubbles
        mint marker #222 gold tomato 384 416 .76 -.1 0 14 left waves bubbles
        white watercolour #345 orange gold 432 400 .76 .1 -.16 8 right scales baby
        squared pencil #444 gold darkorange 400 400 .8 -.08 0 10 left weed bubbles
        sky marker #222 darkorange gold 416 400 .7 .1 .02 -10 right weed
        blackboard chalk white #ffa030 khaki 432 400 .86 -.1 .02 4 left scales bubbles""",
    "snail": """
        yellow marker #222 tomato lightgreen 400 400 .78 .02 .06 5 right grass
        squared pencil #333 orchid gold 400 416 .82 -.04 .1 -6 left sun grass
        kraft crayon #3a2416 white orange 400 400 .84 0 0 -14 right grass
        white watercolour #333 peru khaki 416 400 .82 0 .08 0 left grass
        sky crayon midnightblue hotpink orange 416 400 .82 .02 .12 0 right sun
        white crayon #444 limegreen gold 400 400 .84 -.02 .02 18 left grass
        squared ink indigo indigo indigo 416 400 .84 0 .04 -8 right sun
        lilac marker #333 gold deepskyblue 400 432 .68 .14 .16 0 left flower grass
        white watercolour #345 royalblue pink 432 400 .74 .14 -.14 -4 right baby
        kraft ink black black black 432 384 .78 0 .02 -8 left grass""",
    "teapot": """
        squared marker #222 deepskyblue yellow 416 400 .84 0 .08 6 left dots steam
        lined ink indigo indigo indigo 416 400 .82 0 .1 5 left steam dots
        kraft crayon #3a2416 white tomato 400 400 .84 0 .06 -8 right steam dots
        white watercolour #345 cornflowerblue gold 432 400 .62 -.22 .16 0 right table stripes cup
        pink crayon navy royalblue orange 400 400 .82 0 .06 -5 right dots
        squared pencil #333 mediumseagreen hotpink 400 416 .84 0 .06 0 right steam flower
        mint crayon darkgreen gold tomato 400 400 .84 0 .08 8 right steam stripes
        white watercolour #433 hotpink lightgreen 400 432 .8 0 .04 -8 left table flower
        squared pencil #333 orange skyblue 432 400 .6 .22 .1 0 left steam stripes cup
        lilac marker #222 tomato gold 416 400 .76 0 .06 -6 left steam flower""",
}
PAPERS = {
    **{"white": "#fdfcf8", "squared": "#fbfbf6", "lined": "#fdfbf0"},
    **{"kraft": "#cdae80", "blackboard": "#2d4038", "pink": "#f8d9dc", "mint": "#d5ecdb"},
    **{"sky": "#cfe4f3", "yellow": "#fbeeb4", "lilac": "#e2d8f0"},
}
TAILS = (
    "-42,-10 -65,-70 -98,-100 -92,-30 -80,4 -95,40 -96,100 -62,70 -42,16",
    "-42,-10 -70,-85 -92,-95 -88,-52 -102,-42 -92,0 -102,45 -88,55 -92,100 -68,85 -42,12",
    "-42,-12 -60,-75 -92,-110 -108,-70 -86,-20 -104,25 -98,80 -108,120 -74,112 -55,60 -42,16",
)


@dataclass(frozen=True)
class Medium:
    """A drawing tool; lengths are in pixels of the finished picture."""

    width: float
    opacity: float
    wobble: float
    tooth: float = 0.0  # how much of a stroke the paper's grain leaves bare
    passes: int = 1
    hatch: float = 0.0  # distance between hatching strokes, 0 for none
    wash: float = 0.0  # opacity of a flat fill, 0 for none
    bleed: float = 0.0


MEDIA = {
    "marker": Medium(5.0, 0.95, 2.0, hatch=9, wash=0.72, bleed=1.5),
    "crayon": Medium(5.0, 0.95, 2.0, tooth=0.35, passes=2, hatch=5),
    "pencil": Medium(2.2, 0.85, 1.8, tooth=0.2, passes=2, hatch=4.2),
    "ink": Medium(2.8, 0.95, 1.6),
    "watercolour": Medium(2.2, 0.8, 1.8, tooth=0.1, wash=0.66, bleed=5),
    "chalk": Medium(5.0, 0.95, 2.2, tooth=0.3, passes=2, hatch=4.8),
}
SOLID = Medium(1.0, 1.0, 0.5, wash=0.92, bleed=0.8)


class Pose(NamedTuple):
    """Where a subject stands; the default is the sheet itself."""

    scale: float = 1.0
    x: float = 0.0
    y: float = 0.0
    tilt: float = 0.0
    facing: int = 1


def points(text: str, stretch: float = 1.0) -> np.ndarray:
    """Parse "x,y x,y ..." in hundredths, as in an SVG polygon, stretching the heights."""
    return np.array([pair.split(",") for pair in text.split()], float) / 100 * (1, stretch)


def arc(x: float, y: float, rx: float, ry: float, start: float = 0, end: float = 330) -> np.ndarray:
    """Points along an ellipse, in degrees; the default ends make a closed curve of twelve."""
    angles = np.radians(np.linspace(start, end, 12))
    return np.stack([x + rx * np.cos(angles), y + ry * np.sin(angles)], 1)


def spline(p: np.ndarray, closed: bool) -> np.ndarray:
    """Catmull-Rom spline through the points."""
    p = np.vstack([p[-1:], p, p[:2]] if closed else [p[:1], p, p[-1:]])
    t = np.linspace(0, 1, 24, endpoint=False)[:, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None] for i in range(4))
    curve = b + t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))) / 2
    return np.vstack([curve.reshape(-1, 2), p[-2:-1]])


class Sketch:
    """One drawing in the making; coordinates run from -1 to 1 over the shorter side, y down."""

    def __init__(self, description: str, seed: int) -> None:
        """Lay out the paper that the description names."""
        paper, medium, self.line, self.fill, self.accent, *rest = description.split()
        width, height, scale, x, y, tilt = map(float, rest[:6])
        self.subject_pose = Pose(scale, x, y, math.radians(tilt), 1 if rest[6] == "right" else -1)
        self.pose, self.extras, self.size = Pose(), rest[7:], (int(width), int(height))
        self.rng, self.medium = np.random.default_rng(seed), MEDIA[medium]
        self.width, self.height = (side * SUPERSAMPLING for side in self.size)
        self.pixels = np.full((self.height, self.width, 3), ImageColor.getrgb(PAPERS[paper]), float)
        self.grain, self.mottle = self.noise(5), self.noise(120)
        if paper in ("kraft", "blackboard"):
            self.pixels += (3 * self.mottle + 2 * self.noise(9))[..., None]
        ruled = np.zeros((self.height, self.width))
        gap = SUPERSAMPLING * (20 if paper == "squared" else 28)
        if paper in ("squared", "lined"):
            ruled[np.arange(self.height) % gap < SUPERSAMPLING] = 0.8
        if paper == "squared":
            ruled[:, np.arange(self.width) % gap < SUPERSAMPLING] = 0.8
        self.lay(ruled, "#b0cce4")
        self.sheet = self.pixels.copy()

    def noise(self, cell: int) -> np.ndarray:
        """Smooth unit-variance noise over the sheet, with features about `cell` pixels wide."""
        shape = (self.height // cell + 2, self.width // cell + 2)
        field = Image.fromarray(self.rng.standard_normal(shape).astype(np.float32))
        smooth = np.asarray(field.resize((self.width, self.height), Image.Resampling.BICUBIC))
        return (smooth - smooth.mean()) / smooth.std()

    def lay(self, cover: np.ndarray, colour: str) -> None:
        """Blend a colour into the sheet."""
        self.pixels += cover[..., None] * (np.array(ImageColor.getrgb(colour)) - self.pixels)

    def place(self, p: np.ndarray) -> np.ndarray:
        """Map to pixels through the current pose."""
        scale, x, y, tilt, facing = self.pose
        s, c = math.sin(tilt), math.cos(tilt)
        p = p * (facing * scale, scale) @ np.array([[c, s], [-s, c]]) + (x, y)
        return p * min(self.width, self.height) / 2 + (self.width / 2, self.height / 2)

    def by_hand(self, path: np.ndarray, wobble: float) -> np.ndarray:
        """Displace a path smoothly, as an unsteady hand would."""
        length = np.r_[0, np.cumsum(np.hypot(*np.diff(path, axis=0).T))] / SUPERSAMPLING
        even = np.linspace(0, length[-1], max(2, int(length[-1])))
        path = np.stack([np.interp(even, length, axis) for axis in path.T], 1)
        for wavelength in (90, 45, 22):
            phase, heading = self.rng.uniform(0, 2 * math.pi, (2, 2))
            turns = even[:, None] / (wavelength * self.rng.uniform(0.8, 1.3))
            swing = np.sin(2 * math.pi * turns + phase) * np.sin(heading)
            path += swing * wobble * SUPERSAMPLING * wavelength / 90
        return path

    def draw_paths(self, paths: list[np.ndarray], colour: str, width: float, tool: Medium) -> None:
        """Draw strokes of varying width, broken up by the paper's grain."""
        mask = Image.new("L", (self.width, self.height))
        pen = ImageDraw.Draw(mask)
        for path in paths:
            phase = self.rng.uniform(0, 2 * math.pi)
            for i, (x, y) in enumerate(path):
                r = width * SUPERSAMPLING / 2 * (1 + 0.22 * math.sin(i / 23 + phase))
                pen.ellipse((x - r, y - r, x + r, y + r), fill=255)
        cover = np.asarray(mask) / 255 * tool.opacity
        self.lay(cover * np.clip(self.grain + 3.2 - 7 * tool.tooth, 0.3, 1), colour)

    def stroke(self, p: np.ndarray, colour: str = "", width: float = 1, loop: bool = False) -> None:
        """Draw a line; a loop overshoots its start."""
        path = self.place(spline(p, loop))
        if loop:
            path = np.vstack([path, path[1 : 2 + len(path) // 25]])
        if self.medium == MEDIA["ink"] or not colour:  # a pen has one colour
            colour = self.line
        paths = [self.by_hand(path, self.medium.wobble) for _ in range(self.medium.passes)]
        self.draw_paths(paths, colour, self.medium.width * width, self.medium)

    def colour_in(self, p: np.ndarray, colour: str, tool: Medium, hide: bool = False) -> None:
        """Colour a shape in, not quite within its outline, hiding what lies behind if told so."""
        path = self.by_hand(self.place(spline(p, closed=True)), tool.wobble)
        mask = Image.new("L", (self.width, self.height))
        ImageDraw.Draw(mask).polygon([tuple(xy) for xy in path], fill=255)
        inside = np.asarray(mask) > 0
        if hide:
            self.pixels[inside] = self.sheet[inside]
        if tool.wash:
            soft = mask.filter(ImageFilter.GaussianBlur(tool.bleed * SUPERSAMPLING))
            level = np.asarray(soft) / 255 - 0.5 + np.clip(0.09 * self.mottle, -0.25, 0.25)
            cover = tool.wash + 0.09 * self.mottle
            if tool.bleed > 2:  # pigment gathers where a wet edge dries
                cover += 0.35 * np.clip(1 - 2.2 * level, 0, 1)
            self.lay(np.clip(level * 3 * tool.bleed + 0.5, 0, 1) * cover.clip(0, 1), colour)
        if tool.hatch:
            self.draw_paths(self.hatching(inside, tool), colour, tool.width * 0.8, tool)

    def hatching(self, inside: np.ndarray, tool: Medium) -> list[np.ndarray]:
        """Parallel strokes over a shape, with ragged ends."""
        angle = math.radians(self.rng.uniform(25, 65) * self.rng.choice([-1, 1]))
        along = np.array([math.cos(angle), math.sin(angle)])
        across, reach = along[::-1] * (-1, 1), math.hypot(self.width, self.height) / 2
        centre = np.array([self.width, self.height]) / 2
        steps, gap = np.arange(-reach, reach, SUPERSAMPLING), tool.hatch * SUPERSAMPLING
        strokes = []
        for offset in np.arange(-reach, reach, gap):
            start = centre + across * (offset + self.rng.normal(0, gap / 4))
            line = start + steps[:, None] * along
            x, y = line.astype(int).T
            hit = (x >= 0) & (y >= 0) & (x < self.width) & (y < self.height)
            hit[hit] = inside[y[hit], x[hit]]
            for first, last in np.flatnonzero(np.diff(np.r_[0, hit, 0])).reshape(-1, 2):
                early, late = self.rng.integers(-2, 4, 2)
                piece = line[max(0, first - early) : last + late]
                if len(piece) > 3:
                    strokes.append(self.by_hand(piece, tool.wobble * 0.7))
        return strokes

    def shape(self, p: np.ndarray, colour: str, width: float = 1) -> None:
        """Colour a shape in and draw its outline."""
        self.colour_in(p, colour, self.medium, hide=True)
        self.stroke(p, width=width, loop=True)

    def dot(self, x: float, y: float, radius: float, colour: str = "") -> None:
        """Put a solid dot."""
        self.colour_in(arc(x, y, radius, radius), colour or self.line, SOLID)

    def save(self, path: Path) -> None:
        """Downscale, reduce to a palette and write as PNG."""
        image = Image.fromarray(self.pixels.clip(0, 255).astype(np.uint8))
        image = image.resize(self.size, Image.Resampling.LANCZOS)
        path.parent.mkdir(parents=True, exist_ok=True)
        image.quantize(PALETTE_SIZE, dither=Image.Dither.NONE).save(path, optimize=True)


def scenery(s: Sketch) -> None:
    """Draw what stands behind the subject."""
    if "bowl" in s.extras:
        s.colour_in(arc(0, 0.12, 0.76, 0.7, -25, 205), "#9fd0ea", s.medium)
        s.stroke(arc(0, 0.12, 0.8, 0.76, -50, 230), width=1.4)
        s.stroke(arc(0, -0.5, 0.52, 0.08), loop=True)
    for x in (-0.66, -0.52, 0.6) if "weed" in s.extras else ():
        y = np.linspace(0.78, s.rng.uniform(0, 0.3), 9)
        s.stroke(np.stack([x + 0.05 * np.sin(14 * y + 9 * x), y], 1), "seagreen", 2)
    for y in (-0.76, -0.64) if "waves" in s.extras else ():
        x = np.linspace(-0.8, 0.8, 25)
        s.stroke(np.stack([x, y + 0.04 * np.sin(14 * x + 9 * y)], 1), "steelblue")
    if "sun" in s.extras:
        x = -0.62 * s.subject_pose.facing
        s.shape(arc(x, -0.62, 0.14, 0.14), "gold")
        for ray in zip(arc(x, -0.62, 0.19, 0.19), arc(x, -0.62, 0.28, 0.28), strict=True):
            s.stroke(np.array(ray), "orange")
    if "table" in s.extras:
        s.colour_in(points("-130,52 130,52 130,120 -130,120"), "burlywood", s.medium)
        s.stroke(points("-120,52 0,53 120,52"))


def flower(s: Sketch, x: float, y: float, size: float) -> None:
    """Draw petals around a dot."""
    for petal_x, petal_y in arc(x, y, size, size)[::2]:
        s.shape(arc(petal_x, petal_y, size * 0.55, size * 0.55), s.accent, 0.6)
    s.dot(x, y, size * 0.5)


def goldfish(s: Sketch) -> None:
    """Draw a goldfish."""
    tall, lobe, tail = s.rng.uniform(0.34, 0.46), s.rng.uniform(0.36, 0.48), s.rng.choice(TAILS)
    s.shape(points(tail, lobe), s.accent)
    for side in (-1, 0, 1):
        s.stroke(points("-60,7 -72,33 -84,66", side * lobe), width=0.6)
    s.shape(points("26,-88 12,-150 -15,-160 -38,-118 -30,-60", tall), s.accent)
    s.shape(points("12,92 2,150 -20,156 -16,86", tall), s.accent)
    body = "64,5 45,-72 8,-100 -28,-66 -50,-16 -50,22 -28,74 8,105 45,78"
    s.shape(points(body, tall), s.fill)
    s.stroke(arc(0.2, 0, 0.1, 0.75 * tall, -75, 75), width=0.8)
    if "scales" in s.extras:
        for column in range(4):
            for row in range(-2 + column // 2, 3 - column // 2):
                y = (row + column % 2 / 2) * tall * 0.36
                s.stroke(arc(0.14 - 0.15 * column, y, 0.07, 0.17 * tall, -90, 90), width=0.55)
    else:
        s.shape(points("12,8 -5,4 -18,16 -2,20"), s.accent, 0.8)
    for k in range(4 if "bubbles" in s.extras else 0):
        r = s.rng.uniform(0.03, 0.07)
        s.stroke(arc(0.72 + 0.05 * (-1) ** k, -0.18 - 0.17 * k, r, r), width=0.7, loop=True)
    s.dot(0.43, -0.26 * tall, 0.085, "white")
    s.stroke(arc(0.43, -0.26 * tall, 0.085, 0.085), width=0.6, loop=True)
    s.dot(0.45, -0.26 * tall, 0.04, "black")
    s.stroke(points("62,10 55,14 50,11"), width=0.8)


def snail(s: Sketch) -> None:
    """Draw a snail."""
    if "grass" in s.extras:
        x = np.arange(-1.05, 1.05, 0.055)
        y = np.where(np.arange(len(x)) % 2, 0.72, s.rng.uniform(0.46, 0.58, len(x)))
        # A spline turns sharply where a point comes twice.
        s.stroke(np.repeat(np.stack([x, y], 1), 2, axis=0), "seagreen")
    for tentacle in ("66,-15 63,-35 55,-54", "78,-15 87,-35 93,-54"):
        s.stroke(points(tentacle))
        s.dot(*points(tentacle)[-1], 0.055)
    foot = "-95,56 -50,40 25,38 46,10 55,-14 72,-22 88,-8 86,18 76,48 60,58 -10,60"
    s.shape(points(foot), s.accent)
    r = s.rng.uniform(0.46, 0.6)
    s.shape(arc(-0.12, 0.42 - r, r, r * 0.95), s.fill)
    turn = np.linspace(0.4, 2 * math.pi * s.rng.uniform(2.3, 2.9), 40)
    spiral = np.stack([np.cos(turn), np.sin(turn)], 1) * (1 - 0.95 * turn / turn[-1])[:, None]
    s.stroke(spiral * r + (-0.12, 0.42 - r))
    s.dot(0.74, -0.02, 0.03)
    s.stroke(points("83,12 75,17 68,13"), width=0.8)
    if "flower" in s.extras:
        s.stroke(points("118,70 122,20 118,-40"), "seagreen")
        flower(s, 1.18, -0.45, 0.13)


def teapot(s: Sketch) -> None:
    """Draw a teapot."""
    tall = s.rng.uniform(0.85, 1.15)
    s.shape(points("42,20 62,5 70,-22 84,-34 96,-30 86,-12 80,20 48,42", tall), s.fill)
    s.stroke(points("-46,-10 -80,-22 -92,10 -72,34 -48,34", tall), width=1.6)
    s.shape(points("-30,-30 -54,5 -46,42 -25,60 25,60 46,42 54,5 30,-30", tall), s.fill)
    s.shape(points("-32,-30 -20,-46 0,-50 20,-46 32,-30 0,-27", tall), s.accent)
    s.shape(arc(0, -0.58 * tall, 0.09, 0.08), s.accent)
    if "flower" in s.extras:
        flower(s, 0, 0.18, 0.16)
    for x, y in points("-30,5 0,-5 30,5 -16,28 16,28 0,46", tall) if "dots" in s.extras else ():
        s.shape(arc(x, y, 0.07, 0.07), s.accent, 0.6)
    for y in (0, 0.2, 0.4) if "stripes" in s.extras else ():
        s.stroke(np.add(points("-44,0 -20,6 20,6 44,0"), (0, y)), s.accent, 2)
    for x in (0.84, 0.96) if "steam" in s.extras else ():
        s.stroke(np.add(points("0,-46 5,-54 -4,-64 5,-74 0,-84"), (x, 0)), width=0.8)
    if "cup" in s.extras:
        s.stroke(arc(1.5, 0.36, 0.13, 0.11), width=1.4, loop=True)
        s.shape(points("100,18 106,46 118,60 134,60 146,46 152,18 126,21"), s.accent)


SUBJECTS = {"goldfish": goldfish, "snail": snail, "teapot": teapot}


def draw(category: str, number: int) -> Sketch:
    """The finished drawing with that number, from 0, in the table."""
    sketch = Sketch(DRAWINGS[category].strip().splitlines()[number], seed=number)
    scenery(sketch)
    sketch.pose = sketch.subject_pose
    SUBJECTS[category](sketch)
    if "baby" in sketch.extras:
        scale, _, _, tilt, facing = sketch.pose
        sketch.pose = Pose(0.4 * scale, -0.42 * facing, 0.56, tilt, facing)
        SUBJECTS[category](sketch)
    return sketch


def main() -> None:
    """Write every drawing beside this script: five to learn from, five held out."""
    for category in SUBJECTS:
        for number in range(10):
            folder = Path(__file__).parent / category / ("held_out" if number >= 5 else "")
            draw(category, number).save(folder / f"{number % 5 + 1}.png")


if __name__ == "__main__":
    main()
