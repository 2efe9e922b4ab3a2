"""Without a channel to 4_spool for a while, 5_relay ends, so that the master makes it anew with a fresh one (see WHY)."""
import os
import pathlib
import subprocess
import sys

import pytest
from postern_server import POSTERN

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "relay"))
from peers import DELIVERED, Hop, Relay      # noqa: E402

CHILD = pathlib.Path(os.environ.get("RELAY_CHILD", pathlib.Path(POSTERN).parent / "tests" / "relay" / "relay_child"))
pytestmark = pytest.mark.skipif(not CHILD.exists(), reason="relay_child is not built")


def test_it_ends_when_nobody_brings_a_new_channel():
    relay = Relay({"relay": "smtp://127.0.0.1:10009"}, program=str(CHILD))
    try:
        relay.spool.send(83, 5, b"no try came before")
        with pytest.raises(EOFError):
            relay.spool.receive(5)
        assert relay.process.wait(15) == 70
    finally:
        relay.stop()


def test_it_stays_when_a_new_one_comes():
    hop = Hop()
    relay = Relay({"relay": "smtp://127.0.0.1:%d" % hop.port}, program=str(CHILD))
    try:
        relay.spool.sock.close()
        relay.new_spool()
        with pytest.raises(subprocess.TimeoutExpired):
            relay.process.wait(8)
        assert relay.deliver(["b@next.example"])[0].cls == DELIVERED
    finally:
        relay.stop()
        hop.close()
