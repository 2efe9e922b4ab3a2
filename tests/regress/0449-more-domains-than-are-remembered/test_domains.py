"""Mail to many domains, each looked up for its MTA-STS policy, none of it waiting for another's to be forgotten."""
import struct

import pytest

from postern_server import free_port
from peers import DONE, MX, Dns, World, wire

DOMAINS, AT_ONCE = 20500, 500
HOST = struct.pack(">H", 10) + wire("mx.host.example")


class Endless(Dns):
    """One mail exchanger for each name below many.example."""

    def answer(self, query):
        if b"\4many\7example\0\0\x0f" not in query or b"_mta-sts" in query:
            return super().answer(query)
        return query[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + query[12:query.index(b"\0\0\x0f") + 5] + \
            b"\xc0\x0c" + struct.pack(">HHIH", MX, 1, 300, len(HOST)) + HOST


@pytest.fixture
def beds():
    one = World()
    yield one
    one.close()


def test_they_do_not_wait_for_each_other(beds):
    names = beds.keep(Endless({("mx.host.example", 1): ["127.0.0.1"]}))
    # Nobody listens there, which is found out once for all of them.
    relay = beds.relay({"relay": "mx", "relay-port": free_port(), "dns-server": names.server, "retry-first": "1 h"})
    extents, content = relay.store(b"x: y\r\n\r\n"), b"x: y\r\n\r\n"
    asked = done = 0
    while done < DOMAINS:
        while asked < DOMAINS and asked - done < AT_ONCE:
            relay.attempt(["b@many.example"], content, extents=extents, destination=f"d{asked}.many.example")
            asked += 1
        done += relay.spool.receive(5)[0] == DONE
