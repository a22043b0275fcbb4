"""How the page looks: theme, style sheet, introduction, and the settings of launch."""

from pathlib import Path

import gradio as gr

from lora_demo.limits import MAX_LORA_BYTES, MAX_VISITORS
from lora_demo.ui.language import ENGLISH
from lora_demo.ui.server import DOOR, HEALTH

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
SCRIPTS = [Path(__file__).with_name(f"{name}.js") for name in ("trays", "reveal")]
LAUNCH = {
    "theme": THEME,
    "css": CSS,
    "head": "".join(f"<script>{s.read_text(encoding='utf-8')}</script>" for s in SCRIPTS),
    "max_file_size": MAX_LORA_BYTES,  # of any upload; pictures have a lower limit of their own
    "state_session_capacity": MAX_VISITORS,  # a page takes 1 MB; Gradio would keep 10,000
    "_frontend": False,  # Gradio gives up where its own page takes over 3 s, as on a busy computer
    "run_history": False,  # would keep every input and output in the browser
    "enable_monitoring": False,  # would open /monitoring to everybody
    "footer_links": ["api"],
    "ssr_mode": False,
    "pwa": False,
    "share": False,
    "strict_cors": True,
    "app_kwargs": DOOR | {"routes": [HEALTH], "middleware": [*DOOR["middleware"], ENGLISH]},
}


INTRODUCTION = """
<header class="hero">
  <div>
    <h1>Teach a frozen network something new</h1>
    <p>This network knows 1,000 kinds of things. Show it a few pictures, and a small add-on,
    called <b class="lora">LoRA</b>, learns from them in seconds. The
    <b class="frozen">network itself stays frozen</b>. Your pictures stay on the computer that
    runs this page.</p>
  </div>
  <svg viewBox="0 0 440 150" role="img"
    aria-label="A picture goes through the frozen network and through LoRA; the answers are added.">
    <g class="picture"><rect x="6" y="45" width="60" height="60" rx="10"/>
      <path d="M18 76c8-14 24-14 32-2l8-8v20l-8-8c-8 12-24 10-32-2z"/></g>
    <path class="wire" d="M66 75H96V38H122M96 75V118H150M282 38H330V61M254 118H330V91M345 76H366"/>
    <rect class="frozen-box" x="122" y="12" width="160" height="54" rx="12"/>
    <text x="202" y="36" text-anchor="middle">network</text>
    <text class="small" x="202" y="54" text-anchor="middle">frozen ❄</text>
    <rect class="lora-box" x="150" y="96" width="104" height="44" rx="12"/>
    <text x="202" y="123" text-anchor="middle">LoRA</text>
    <circle class="sum" cx="330" cy="76" r="15"/><text x="330" y="82" text-anchor="middle">+</text>
    <text class="answer" x="372" y="72">new</text><text class="answer" x="372" y="90">answer</text>
  </svg>
</header>
"""
