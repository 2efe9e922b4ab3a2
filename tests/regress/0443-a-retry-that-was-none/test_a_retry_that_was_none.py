"""`postern queue retry` connects, whatever is remembered of a host that did not answer (postern-queue(1))."""
import pytest

from postern_server import eventually, free_port
from road import await_empty, queue, submit, waiting


@pytest.mark.parametrize("what", ["one", "all"])
def test_a_next_hop_that_was_mended(world, what):
    port = free_port()
    server = world.serve(relay=f"smtp://127.0.0.1:{port}")
    one = submit(server, "b@one.example")
    eventually(lambda: waiting(server) and waiting(server)[0]["attempts"] == 1, "the first try")
    hop = world.hop(port=port)
    queue(server, "retry", one if what == "one" else "all")
    await_empty(server, 5)
    assert len(hop.mails) == 1
