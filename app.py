"""Start the app: `python app.py`, then open the address that it prints."""

from lora_demo.ui import LAUNCH, build_app, get_ready

demo = build_app()

if __name__ == "__main__":
    demo.launch(**LAUNCH, prevent_thread_lock=True)
    get_ready()  # torch and the network, behind the page that is served by now
    demo.block_thread()
