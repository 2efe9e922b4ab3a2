"""Without a channel to 4_spool for a while, 5_relay ends, so that the master makes it anew with a fresh one (see WHY)."""
import subprocess

import pytest

from peers import DELIVERED, Hop, Relay


def test_it_ends_when_nobody_brings_a_new_channel():
    relay = Relay({"relay": "smtp://127.0.0.1:10009"})
    try:
        relay.spool.send(83, 5, b"no try came before")
        with pytest.raises(EOFError):
            relay.spool.receive(5)
        assert relay.process.wait(15) == 70
    finally:
        relay.stop()


def test_it_stays_when_a_new_one_comes():
    hop = Hop()
    relay = Relay({"relay": "smtp://127.0.0.1:%d" % hop.port})
    try:
        relay.spool.sock.close()
        relay.new_spool()
        with pytest.raises(subprocess.TimeoutExpired):
            relay.process.wait(8)
        assert relay.deliver(["b@next.example"])[0].cls == DELIVERED
    finally:
        relay.stop()
        hop.close()
