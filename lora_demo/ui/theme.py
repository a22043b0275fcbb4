"""How the page looks: theme, style sheet, introduction, and the settings of launch."""

from pathlib import Path

import gradio as gr

from lora_demo import limits
from lora_demo.ui.language import ENGLISH
from lora_demo.ui.receiving import RECEIVING
from lora_demo.ui.server import DOOR, HEALTH
from lora_demo.ui.tidying import tidying

# Blue is frozen, orange learns: in the pictures, the bars, the curve, and the button.
THEME = gr.themes.Base(
    primary_hue=gr.themes.colors.orange,
    secondary_hue=gr.themes.colors.blue,
    neutral_hue=gr.themes.colors.stone,
    radius_size=gr.themes.sizes.radius_lg,
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
).set(
    body_background_fill="#faf6f0",
    body_background_fill_dark="#171412",
    body_text_color="#292524",
    body_text_color_subdued="#57534e",
    body_text_color_subdued_dark="#d6d3d1",
    background_fill_primary="#ffffff",
    background_fill_primary_dark="#231f1c",
    block_background_fill="#ffffff",
    block_background_fill_dark="#231f1c",
    block_border_width="0px",
    block_shadow="none",
    block_label_text_color="#292524",
    block_label_text_color_dark="#e7e5e4",
    block_title_text_color="#292524",
    block_title_text_color_dark="#e7e5e4",
    block_title_text_weight="600",
    block_info_text_color="#57534e",
    block_info_text_color_dark="#d6d3d1",
    input_background_fill="#faf6f0",
    input_background_fill_dark="#2e2925",
    button_primary_background_fill="#c2410c",
    button_primary_background_fill_hover="#9a3412",
    button_primary_background_fill_dark="#c2410c",
    button_primary_background_fill_hover_dark="#9a3412",
    button_primary_text_color="#ffffff",
    button_primary_text_color_dark="#ffffff",
    button_secondary_background_fill="#f1e9df",
    button_secondary_background_fill_hover="#e7dccd",
    button_secondary_background_fill_dark="#3a342f",
    button_secondary_background_fill_hover_dark="#4a433d",
    button_cancel_background_fill="#b91c1c",
    button_cancel_background_fill_hover="#991b1b",
    button_cancel_background_fill_dark="#b91c1c",
    button_cancel_background_fill_hover_dark="#991b1b",
    button_cancel_text_color="#ffffff",
    button_cancel_text_color_dark="#ffffff",
    slider_color="#c2410c",
    slider_color_dark="#fb923c",
)
CSS = Path(__file__).with_name("theme.css").read_text(encoding="utf-8")
TEMPLATES = Path(__file__).parent / "render" / "templates"
INTRODUCTION = (TEMPLATES / "introduction.html").read_text(encoding="utf-8")
SCRIPTS = [Path(__file__).with_name(f"{name}.js") for name in ("trays", "reveal")]
LAUNCH = {
    "theme": THEME,
    "css": CSS,
    "head": "".join(f"<script>{s.read_text(encoding='utf-8')}</script>" for s in SCRIPTS),
    "max_file_size": limits.MAX_LORA_BYTES,  # of any upload; pictures have a lower limit
    "state_session_capacity": limits.MAX_VISITORS,
    "_frontend": False,  # Gradio gives up if its own page takes over 3 s, as on a busy computer
    "run_history": False,  # would keep every input and output in the browser
    "enable_monitoring": False,  # would open /monitoring to everybody
    "footer_links": ["api"],
    "ssr_mode": False,
    "pwa": False,
    "share": False,
    "strict_cors": True,
    "app_kwargs": DOOR
    | {
        "routes": [HEALTH, RECEIVING],
        "middleware": [*DOOR["middleware"], ENGLISH],
        "lifespan": tidying,
    },
}
