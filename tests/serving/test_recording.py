"""What jobs make is recorded, unless another LoRA was chosen or all of it dropped."""

import pytest

from lora_demo import AdapterSpec, TrainingSettings, load_model, new_adapter
from lora_demo.lora.spec import training_bytes
from lora_demo.serving.job import wait_for
from lora_demo.serving.queue import JobQueue
from lora_demo.serving.recording import Task, start_lesson
from lora_demo.serving.session import Session

SPEC = AdapterSpec("efficientnet_lite0", "head", 4, class_names=("goldfish",))


def train(goldfish, act):
    """The session after a training, in whose middle something was done to it."""
    session, acted = Session(), False
    task, settings = Task(goldfish, []), TrainingSettings(1000)
    lesson = start_lesson(session, JobQueue(), task, SPEC, settings)
    for _ in wait_for(lesson.job):
        if lesson.fitting and not acted:
            acted = True
            act(session)
    return session, lesson


def test_a_lora_that_is_chosen_during_a_training_stays_in_use(goldfish, model):
    other = new_adapter(SPEC, model)

    session, lesson = train(goldfish, lambda session: session.choose(other))

    assert session.adapter is other
    assert session.results == [lesson.result]


def test_nothing_is_recorded_of_a_training_whose_work_was_dropped(goldfish):
    session, lesson = train(goldfish, Session.drop_work)

    assert (session.adapter, session.results, session.asked) == (None, [], None)
    assert (lesson.fitting, lesson.result, lesson.job.newest) == (None, None, None)


@pytest.mark.parametrize(("placement", "rank"), [("pixels", 64), ("pixels", 10), ("head", 64)])
def test_a_trainings_need_is_estimated_from_above(goldfish, features, placement, rank):
    """A, B, two moments, and what is read of each picture."""
    spec = AdapterSpec("efficientnet_lite0", placement, rank, class_names=("goldfish",))
    adapter = new_adapter(spec, load_model(spec.model_name))
    tensors = 3 * sum(parameter.nbytes for parameter in adapter.parameters())
    pixels = 3 * features.pixels.nbytes if placement == "pixels" else 0
    held = tensors + pixels + features.nbytes - features.pixels.nbytes

    assert held <= training_bytes(spec, len(goldfish)) <= held + 8e6
