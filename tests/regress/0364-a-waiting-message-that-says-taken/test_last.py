"""What `queue list` says last is about a recipient who waits."""
import json
import os
import pathlib
import sys

from postern_server import eventually, postern

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "serve"))
from test_history import submit, with_hop  # noqa: E402


def listed(one):
    return json.loads(postern("queue", "list", "--json", *one.options).stdout)


def test_the_waiting_one_counts(make_server):
    one = with_hop(make_server, "retry-max = \"60 s\"\n", later="451 4.7.1 greylisted")
    for rcpts in (["a@example.net", "later@example.net", "b@example.net"], ["later@example.net", "a@example.net"]):
        ident = submit(one, rcpts)
        eventually(lambda: [m for m in listed(one) if m["id"] == ident and m["waiting"] == 1], "its state")
    assert [m["last"] for m in listed(one)] == 2 * ["4.7.1 greylisted"], os.linesep.join(map(str, listed(one)))
    assert "taken" not in postern("queue", "list", *one.options).stdout
    # After a start what was said is in the MESSAGE records or the RESULTs behind them.
    assert one.stop() == 0
    one.start()
    assert [m["last"] for m in listed(one)] == 2 * ["4.7.1 greylisted"]
