"""A server that refuses unknown names is examined by its address as any other (RFC 6066 3)."""
import json

from postern_server import postern
from zoo import Animal, Habits, Papers


def test_address(tmp_path):
    papers = Papers(tmp_path)
    chain, key = papers.issue("address")
    with Animal(Habits(chain=chain, key=key, refuses_unknown=True)) as animal:
        done = postern("audit", "--json", "--timeout", "2", "--ca-file", papers.ca, f"127.0.0.1:{animal.port}/submissions", timeout=60)
    endpoint, = json.loads(done.stdout)["targets"][0]["endpoints"]
    assert endpoint["grade"] == "A" and "tls-modern" in {f["id"] for f in endpoint["findings"]}, endpoint
