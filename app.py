"""Start the app: `python app.py`, then open the address that it prints."""

import logging

from lora_demo.ui import LAUNCH, build_app, get_ready

demo = build_app()

if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("lora_demo").setLevel(logging.INFO)
    demo.launch(**LAUNCH, prevent_thread_lock=True)
    get_ready()  # torch and the network, behind the page that is served by now
    demo.block_thread()
