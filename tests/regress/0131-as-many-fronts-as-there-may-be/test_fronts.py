"""3_auth and 4_spool begin again while as many fronts run as the settings allow: each front has both again."""
import os
import pathlib
import signal

import pytest
from postern_server import eventually

FRONTS = 64


def sockets(pid):
    """With the listeners, whose number does not change."""
    return sum(os.readlink(fd).startswith("socket:") for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir())


@pytest.mark.parametrize("child", ["auth", "spool"])
def test_every_front_finds_it(make_server, child):
    one = make_server(config=f"fronts = {FRONTS}\n").start()
    before = {name: sockets(pid) for name, pid in one.children().items() if name.startswith("front")}
    assert len(before) == FRONTS
    os.kill(one.children()[f"{child}:0"], signal.SIGKILL)
    one.await_event("child-ready", child=child, patience=60)

    def all_back():
        now = {name: sockets(pid) for name, pid in one.children().items() if name.startswith("front")}
        return now == before

    eventually(all_back, f"every front's channel to {child}", 15)
    assert one.events("peer") == [], f"{child} has turned a peer away"
    assert one.stop() == 0
