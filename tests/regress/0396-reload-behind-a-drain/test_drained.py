"""A process that was told to finish and go is not kept by the reload whose words reach it later."""
import pytest

from postern_server import make_certificate
from road import QUICK, World, await_empty, submit


@pytest.fixture
def world(make_server):
    one = World(make_server)
    yield one
    one.close()


def test_a_connection_that_takes_its_leave(world, tmp_path):
    hop = world.hop("127.0.0.2", {"QUIT": "STALL"})     # so there is something to finish when the reload comes
    server = world.serve(QUICK, relay=f"smtp://127.0.0.2:{hop.port}")
    submit(server, "b@one.example")
    await_empty(server)
    roots, _ = make_certificate(tmp_path, "hub.example", "hub")
    with server.config.open("a") as config:
        config.write(f'relay-ca-file = "{roots}"\n')    # one that 5_relay's cage does not know
    server.hup()
    server.await_event("reloaded")
    submit(server, "b@one.example")
    await_empty(server)
    assert len(hop.mails) == 2
    assert {(e["child"], e["level"]) for e in server.events("child-ended")} == {("relay", "note")}
