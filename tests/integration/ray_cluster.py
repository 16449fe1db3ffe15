"""``python -m tests.integration.ray_cluster``: a Ray cluster of two nodes on this machine, until its input ends.

Each node has a scheduler, an object store and one CPU of its own. Says address and node ids, as JSON.
"""

from __future__ import annotations

import json
import sys

from ray.cluster_utils import Cluster

#: the least that Ray takes is 75 MiB
_NODE = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}


def main() -> None:
    cluster = Cluster(initialize_head=True, head_node_args=_NODE)
    try:
        cluster.add_node(**_NODE)
        cluster.wait_for_nodes()
        nodes = [node.node_id for node in cluster.list_all_nodes()]
        sys.stdout.write(json.dumps({"address": cluster.address, "nodes": nodes}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
