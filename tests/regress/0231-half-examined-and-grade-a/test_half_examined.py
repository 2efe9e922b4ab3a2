"""Whoever closes connections after some good ones has told us nothing about what he would have answered."""
import json

import pytest

from postern_server import postern
from zoo import Animal, Cut, Habits, Papers, Talk


class Tired(Talk):
    """Of its n-th connection, or of a command."""

    after, refused = 1000, ""

    def run(self):
        if self.number < self.after:
            super().run()

    def command(self, line):
        if line.startswith(self.refused) and self.refused:
            raise Cut
        return super().command(line)


@pytest.mark.parametrize("after,refused,missing", [(4, "", "no-tls12"), (1000, "MAIL", "")])
def test_half_examined(tmp_path, monkeypatch, after, refused, missing):
    papers = Papers(tmp_path)
    chain, key = papers.issue("one")
    monkeypatch.setattr("zoo.Talk", Tired)
    monkeypatch.setattr(Tired, "after", after)
    monkeypatch.setattr(Tired, "refused", refused)
    with Animal(Habits(chain=chain, key=key)) as animal:
        done = postern("audit", "--json", "--timeout", "1", "--ca-file", papers.ca, f"127.0.0.1:{animal.port}/submissions", timeout=60)
    endpoint, = json.loads(done.stdout)["targets"][0]["endpoints"]
    assert missing not in {f["id"] for f in endpoint["findings"]}
    assert endpoint["grade"] is None and done.returncode == 2
