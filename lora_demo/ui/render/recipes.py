"""How the page names and paints each recipe: one row each."""

from dataclasses import dataclass

from lora_demo.lora.spec import Placement


@dataclass(frozen=True)
class Recipe:
    title: str
    short_title: str
    colour: str  # of its points in the lab's plot, with white figures on it


RECIPES = {  # the quickest first
    Placement.GUARDED: Recipe("Keep old knowledge", "Keep old knowledge", "#15803d"),
    Placement.HEAD: Recipe("Plain LoRA on the last layer", "Last layer", "#1d5f9e"),
    Placement.PIXELS: Recipe(
        "As in the article: LoRA on the raw dots of the picture (pixels)",
        "As in the article",
        "#c2410c",
    ),
    Placement.CLASSIFIER: Recipe("All linear layers", "All linear layers", "#7e22ce"),
}
SHORT = {placement: recipe.short_title for placement, recipe in RECIPES.items()}
