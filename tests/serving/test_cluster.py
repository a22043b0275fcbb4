"""A real Ray cluster of two nodes on this machine, one of which is lost in mid-training."""

import os
import socket
import time
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.client import Job

from tests.benchmarks.speed_app import ROOT, started
from tests.conftest import ray_actors_below

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for actors in /proc"),
]


@pytest.fixture
def cluster(monkeypatch):
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    utils = pytest.importorskip("ray.cluster_utils")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    head = {"num_cpus": 2, "ray_client_server_port": port, "include_dashboard": False}
    cluster = utils.Cluster(initialize_head=True, head_node_args=head)
    cluster.place = f"ray://127.0.0.1:{port}"
    yield cluster
    cluster.shutdown()


def test_a_lost_node_costs_one_repeat_with_the_same_result(cluster, goldfish, tmp_path):
    node = cluster.add_node(num_cpus=1)
    pictures = [handle_file(picture.path) for picture in goldfish]
    arguments = ["--workers", cluster.place]
    with started(ROOT / "app.py", *arguments, GRADIO_TEMP_DIR=str(tmp_path)) as (_, url, _):
        client = Client(url, verbose=False)

        def two_trainings() -> list[Job]:
            """At work at the same time, on a node each."""
            both = [
                client.submit(pictures, "goldfish", epochs=60, seed=seed, api_name="/train")
                for seed in range(2)
            ]
            while not all(job.outputs() and job.outputs()[-1][0]["losses"] for job in both):
                assert not any(job.done() for job in both)
                time.sleep(0.05)
            return both

        undisturbed = [job.result(300)[0]["losses"] for job in two_trainings()]
        disturbed = two_trainings()
        before = ray_actors_below(os.getpid())

        cluster.remove_node(node, allow_graceful=False)

        assert not any(job.done() for job in disturbed)
        repeated = [job.result(300)[0]["losses"] for job in disturbed]
        after = ray_actors_below(os.getpid())
    assert len(before) == len(after) == 2
    assert len(before & after) == 1
    assert repeated == undisturbed
