"""The dials of step 3: size of the LoRA and recipe, and what they cost."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr
from gradio.events import Dependency

from lora_demo import (
    BASE_MODELS,
    BUILT_IN,
    RECIPES,
    AdapterSpec,
    Placement,
    TrainingSettings,
    adapter_size,
    limits,
    load_model,
)
from lora_demo.ui.events import QUIET
from lora_demo.ui.render.charts import size_card

DEFAULT_SPEC = AdapterSpec(BUILT_IN, Placement.GUARDED)
OWN_SETTINGS = DEFAULT_SPEC.recipe.settings
_COURSES = {
    placement.value: [recipe.settings.epochs, recipe.settings.learning_rate]
    for placement, recipe in RECIPES.items()
}
USE_OWN = f"(placement) => ({json.dumps(_COURSES)})[placement]"


@dataclass(frozen=True)
class Settings:
    """The dials, and what handlers make of their values (a dictionary by component)."""

    rank: gr.Slider
    placement: gr.Radio
    seed: gr.Number
    epochs: gr.Slider
    learning_rate: gr.Number

    @property
    def course(self) -> list[gr.components.Component]:
        return [self.epochs, self.learning_rate]

    @property
    def dials(self) -> list[gr.components.Component]:
        return list(vars(self).values())

    def spec(self, values: dict, model_name: str, taught: tuple[str, ...]) -> AdapterSpec:
        placement, rank, seed = (values[dial] for dial in (self.placement, self.rank, self.seed))
        return AdapterSpec(model_name, placement, rank, seed, taught)

    def training(self, values: dict) -> TrainingSettings:
        return TrainingSettings(values[self.epochs], values[self.learning_rate])

    def use_own_after(self, event: Callable) -> Dependency:
        """Set `course` to the placement's own, in the browser, so before a quick click on Train."""
        return event(None, self.placement, self.course, js=USE_OWN, **QUIET)


def recipes(model_name: str) -> list[Placement]:
    """List the recipes of that model, the quickest first.

    With only one linear layer, "all of them" would be the recipe of the last one.
    """
    several = len(BASE_MODELS[model_name].linear_shapes) > 1
    return [p for p, recipe in RECIPES.items() if several or not recipe.every_layer]


def build_settings(network: gr.State) -> Settings:
    rank = gr.Slider(
        1,
        limits.MAX_RANK,
        DEFAULT_SPEC.rank,
        step=1,
        label="Size of the LoRA (rank)",
        info="How many numbers may learn. Move it, and see how many below.",
        elem_id="rank",
    )
    size = gr.HTML(elem_id="size")
    with gr.Accordion("More settings", open=False):
        placement = gr.Radio(
            _choices(DEFAULT_SPEC.model_name),
            value=DEFAULT_SPEC.placement.value,
            label="Recipe",
            info="“Keep old knowledge” changes only the taught answers, and only for what sets "
            "your pictures apart from everything else.",
            elem_id="placement",
        )
        epochs = gr.Slider(
            1,
            limits.MAX_EPOCHS,
            OWN_SETTINGS.epochs,
            step=1,
            label="Rounds (epochs)",
            info="How often it goes through all the pictures.",
            elem_id="epochs",
        )
        learning_rate = gr.Number(
            OWN_SETTINGS.learning_rate,
            step=0.0001,
            label="Step size (learning rate)",
            info="How much it changes after each look. Too large, and it overshoots.",
            elem_id="learning-rate",
        )
        seed = gr.Number(
            DEFAULT_SPEC.seed,
            precision=0,
            label="Seed",
            info="Where its random numbers start. The same seed gives the same result.",
            elem_id="seed",
        )
    # without triggers, it runs when the page opens and when an input changes
    gr.on(None, _size, [network, placement, rank], size, queue=False, **QUIET)
    settings = Settings(rank, placement, seed, epochs, learning_rate)
    settings.use_own_after(placement.input)
    network.change(_offer, [network, placement], placement, queue=False, **QUIET)
    return settings


def _choices(model_name: str) -> list[tuple[str, str]]:
    return [(RECIPES[placement].title, placement.value) for placement in recipes(model_name)]


def _offer(model_name: str, placement: str) -> dict:
    choices = _choices(model_name)
    kept = placement in [value for _, value in choices]
    return gr.update(choices=choices, value=placement if kept else DEFAULT_SPEC.placement.value)


def _size(model_name: str, placement: Placement, rank: int) -> str:
    model, spec = load_model(model_name), AdapterSpec(model_name, placement, rank)
    return size_card(adapter_size(spec, model), model.title, spec.recipe.method == "guarded")
