"""What the endpoints answer: records of the core as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lora_demo import AdapterSpec, FrozenModel, adapter_size

if TYPE_CHECKING:
    from lora_demo import Prediction, Result
    from lora_demo.serving.runs import Lesson


def answers(predictions: tuple[Prediction, ...]) -> list[dict]:
    return [{"class_name": p.class_name, "probability": p.probability} for p in predictions]


def judgement(result: Result) -> dict:
    broken, classes = result.pictures_broken, result.classes_broken
    return {
        "leave_one_out": {
            "base": result.base.correct,
            "adapted": result.adapted.correct,
            "total": result.adapted.total,
            "left_alone": result.left_alone.correct,
            "others": result.left_alone.total,
        },
        "broken": {
            "changed": broken.changed,
            "captured": broken.captured,
            "total": broken.total,
            "classes_changed": classes.changed if classes else None,
        },
    }


def summary_of(lesson: Lesson, spec: AdapterSpec, model: FrozenModel) -> dict:
    reading, fitting = lesson.reading, lesson.fitting
    trained = lesson.result or fitting
    points, refused = fitting.points if fitting else (), reading.refused if reading else ()
    size = adapter_size(spec, model)
    return {
        "losses": [point.loss for point in points],
        "seconds": points[-1].seconds if points else 0.0,
        "trainable_parameters": size.trainable_parameters,
        "pictures_read": reading.pictures_read if reading else 0,
        "pictures_refused": [
            {"file_name": error.file_name, "reason": error.reason} for error in refused
        ],
        "base_model": spec.model_name,
        "class_name": spec.class_names[0],
        "placement": spec.placement.value,
        "rank": spec.rank,
        "seed": spec.seed,
        "strength": trained.adapter.strength if trained else None,
        "corrections": trained.adapter.spec.corrections if trained else None,
        "leave_one_out": None,
        "broken": None,
        "before_you": None,
    }
