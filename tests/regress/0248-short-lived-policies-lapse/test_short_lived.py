"""A policy that is good for an hour is renewed before the hour is over. sts-8"""
import time

from peers import LATER
from test_reports import clock  # noqa: F401
from test_sts import again, fetched, other, policy, send, untouched, web_context, world  # noqa: F401


def test_renewed_in_time(world, other, clock):  # noqa: F811
    hop = world.hop(starttls=other)
    web = world.serve(policy(max_age=3600))
    relay = world.relay(hop)
    assert send(relay).cls == LATER
    clock(1000)
    relay = again(world, hop, relay)
    assert send(relay).cls == LATER and fetched(web) == 1
    clock(2000)
    relay = again(world, hop, relay)
    assert send(relay).cls == LATER
    end = time.monotonic() + 5
    while "event=sts-policy" not in relay.said() and time.monotonic() < end:
        time.sleep(0.02)
    assert fetched(web) == 2
    # So it does not matter that the web server is gone when the first one's time is over.
    web.close()
    clock(4000)
    relay = again(world, hop, relay)
    assert send(relay).cls == LATER
    untouched(hop)
