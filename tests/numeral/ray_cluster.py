"""A Ray cluster on this machine, that loses a node when it is told to: `RAY_PYTHON tests/numeral/ray_cluster.py`.

A head without CPUs and three nodes of one each. It prints the address, kills one node for each line that it reads, says
so, and ends as its stdin does.
"""

import sys
from typing import Any

from ray.cluster_utils import Cluster

NODES = 3


def kill(node: Any) -> None:
    """All its processes at once, as where the power fails."""
    for processes in node.all_processes.values():
        for each in processes:
            each.process.kill()
    print("killed", flush=True)


def main() -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1, include_dashboard=False) for _ in range(NODES)]
    cluster.wait_for_nodes()
    print(cluster.address, flush=True)
    for _line in sys.stdin:
        kill(nodes.pop())
    cluster.shutdown()


if __name__ == "__main__":
    main()
