"""A reply has so much time, however many octets of it have come."""
import time

import pytest

from peers import DELIVERED, World, only


@pytest.fixture
def beds():
    one = World()
    yield one
    one.close()


def test_the_time_for_a_reply_is_for_all_of_it(beds):
    relay = beds.smart(beds.hop({"QUIT": "DRIP 221 2.0.0 goodbye, and come again soon, whoever you may be"}))
    assert only(relay.deliver(["b@x.example"])).cls == DELIVERED
    begun = time.monotonic()
    relay.drain()
    assert time.monotonic() - begun < 6


def test_slow_is_not_too_slow(beds):
    hop = beds.hop({"MAIL": "DRIP 250 ok"})
    assert only(beds.smart(hop).deliver(["b@x.example"])).cls == DELIVERED
