"""The page: one builder per step, put together here."""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported; no telemetry
# Read when torch is imported: its threads sleep while they wait for each other. Spinning, they take
# the cores from the browser and from each other: on two cores, beside one busy process, a training
# on the pixels took 2 to 10 s instead of 1.1, a guarded one 0.1 to 2.5 s instead of 0.06.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from lora_demo.ui.page import build_app
from lora_demo.ui.steps.network import get_ready
from lora_demo.ui.theme import LAUNCH
