"""A next hop that allows so many connections gets so many, and is not asked for more all the time."""
import socket

import pytest

from peers import DELIVERED, A, Hop, MX, World

MESSAGES = 40


class Narrow(Hop):
    """Takes so many connections at once, and counts those that it refuses."""

    def __init__(self, allowed):
        self.allowed, self.refused = allowed, 0
        super().__init__(slow=0.01)

    def serve(self, s, session):
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.now < self.allowed:
            super().serve(s, session)
            return
        self.refused += 1
        s.sendall(b"421 4.7.0 too many connections from you\r\n")
        s.close()


@pytest.fixture
def beds():
    one = World()
    yield one
    one.close()


@pytest.mark.parametrize("allowed, refusals", [(1, 4), (2, 3)])
def test_that_many_and_no_more(beds, allowed, refusals):
    hop = beds.keep(Narrow(allowed))
    names = beds.dns({("one.example", MX): [(10, "mx.one.example")], ("mx.one.example", A): ["127.0.0.1"]})
    relay = beds.relay({"relay": "mx", "relay-port": hop.port, "dns-server": names.server})
    tries = [relay.attempt(["b@one.example"], destination="one.example") for _ in range(MESSAGES)]
    results = [r.cls for t in tries for r in relay.wait(t)]
    assert results == MESSAGES * [DELIVERED]
    assert hop.refused <= refusals and hop.most == allowed, (hop.refused, hop.most)
