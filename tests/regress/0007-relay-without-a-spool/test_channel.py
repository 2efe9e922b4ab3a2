"""Without a channel to 4_spool for a while, 5_relay ends, so that the master makes it anew with a fresh one (see WHY)."""
import subprocess

import pytest

from peers import DELIVERED, Hop, Relay


def test_it_ends_when_nobody_brings_a_new_channel_and_stays_when_one_comes():
    hop = Hop()
    alone, helped = (Relay({"relay": "smtp://127.0.0.1:%d" % hop.port}) for _ in range(2))
    try:
        helped.spool.sock.close()
        helped.new_spool()
        alone.spool.send(83, 5, b"no try came before")
        with pytest.raises(EOFError):
            alone.spool.receive(5)
        assert alone.process.wait(15) == 70
        # The other one has been without a channel for a moment, and lives on.
        with pytest.raises(subprocess.TimeoutExpired):
            helped.process.wait(2)
        assert helped.deliver(["b@next.example"])[0].cls == DELIVERED
    finally:
        alone.stop()
        helped.stop()
        hop.close()
