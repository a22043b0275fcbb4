"""Start the app: `python app.py`, then open the address that it prints."""

import argparse
import gc
import logging
import sys

from lora_demo.serving.queue import QUEUE
from lora_demo.serving.sessions import SESSIONS
from lora_demo.ui import LAUNCH, build_app, get_ready

demo = build_app()

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", help="a number, or ray://host:port; needs Ray")
    workers = parser.parse_args().workers
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("lora_demo").setLevel(logging.INFO)
    if workers:
        from lora_demo.serving.cluster import start_ray_workers

        QUEUE.start_workers(start_ray_workers(workers))
    sys.setswitchinterval(0.0005)  # s; a training hands Python's lock over thousands of times
    demo.launch(**LAUNCH, prevent_thread_lock=True)
    SESSIONS.start_trimming()
    get_ready()  # torch and the network, behind the page that is served by now
    gc.freeze()  # all that is here stays: to look through it for garbage stops the page for 0.5 s
    demo.block_thread()
