"""Start the app: `python app.py`, then open the address that it prints."""

from lora_demo.ui import LAUNCH, build_app

demo = build_app()

if __name__ == "__main__":
    demo.launch(**LAUNCH)
