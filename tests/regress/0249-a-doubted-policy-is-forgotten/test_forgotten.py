"""A policy that could not be written to the disk outlives the failure of a handshake. sts-6, sts-7"""
import time

from peers import LATER
from signed import TXT, SignedDns
from test_sts import DOMAIN, other, send, untouched, web_context, world  # noqa: F401


def test_it_stays_in_force(world, other, tmp_path):  # noqa: F811
    (tmp_path / "relay").mkdir()
    (tmp_path / "relay" / "mta-sts").write_text("no folder\n")
    world.dns = world.keep(SignedDns(world.records, ttl=0))
    hop = world.hop(starttls=other)
    relay = world.relay(hop, state_dir=str(tmp_path))
    assert send(relay).cls == LATER
    world.web.close()
    world.set("_mta-sts." + DOMAIN, TXT, None)
    for _ in range(3):
        time.sleep(1)
        assert send(relay).cls == LATER
    untouched(hop)
