"""A next hop that never answers does not get 5_relay killed at the end, nor the rest lost (see WHY)."""
import time

from postern_server import eventually
from road import QUICK, await_empty, submit


def test_bounded(world):
    stuck = world.hop("127.0.0.3", {"DOT": ["STALL"]})
    world.names({"stuck.example": "127.0.0.3"})
    server = world.serve(QUICK)
    submit(server, "b@stuck.example")
    eventually(lambda: any("DATA" in s.lines for s in stuck.sessions), "the middle of it")
    begin = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begin < 15
    assert not server.events("drain-cut") and not server.events("child-ended")
    server.start()
    server.await_event("delivered")
    await_empty(server)
