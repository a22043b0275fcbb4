"""Start the app: `python app.py`, then open the address that it prints."""

import logging
import sys

from lora_demo.ui import LAUNCH, build_app, get_ready

demo = build_app()

if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("lora_demo").setLevel(logging.INFO)
    sys.setswitchinterval(0.0005)  # s; a training hands the lock over thousands of times
    demo.launch(**LAUNCH, prevent_thread_lock=True)
    get_ready()  # torch and the network, behind the page that is served by now
    demo.block_thread()
