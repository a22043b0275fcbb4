"""The page: one builder per step, put together here."""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported; no telemetry

from lora_demo.ui.page import build_app
from lora_demo.ui.steps.network import get_ready
from lora_demo.ui.theme import LAUNCH
