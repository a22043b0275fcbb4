"""The page: one builder per step, put together here."""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported; no telemetry

from lora_demo.ui.look import LAUNCH
from lora_demo.ui.network import get_ready
from lora_demo.ui.page import build_app
