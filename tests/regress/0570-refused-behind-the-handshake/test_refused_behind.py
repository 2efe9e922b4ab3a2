"""A handshake that the next hop takes back is one that failed."""
import ssl

import pytest

from peers import DELIVERED, LATER, Hop, World, only

RCPTS = ["b@next.example"]


@pytest.fixture
def beds():
    one = World()
    yield one
    one.close()


def wants_ours(authority, newest=ssl.TLSVersion.TLSv1_3):
    """Somebody who talks to nobody without a certificate."""
    context = authority.context("IP:127.0.0.1")
    context.maximum_version = newest
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.ca)
    return context


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
def test_goes_on_without_where_tls_is_a_wish(beds, authority, newest):
    hop = beds.hop(starttls=wants_ours(authority, newest))
    relay = beds.smart(hop)
    got = only(relay.deliver(RCPTS))
    assert got.cls == DELIVERED and got.tls.startswith("none (TLS failed: "), got
    assert len(hop.sessions) == 2 and "STARTTLS" not in hop.sessions[1].lines
    said = relay.said()
    assert "event=tls-failed" in said and "event=reconnect-without-tls" in said and "validation-failure" in said, said


@pytest.mark.parametrize("scheme", ["submissions", "submission"])
def test_waits_where_tls_is_demanded(beds, authority, scheme):
    context = wants_ours(authority)
    hop = beds.hop(**{"implicit" if scheme == "submissions" else "starttls": context})
    relay = beds.relay({"relay": "%s://127.0.0.1:%d" % (scheme, hop.port), "relay-ca-file": authority.ca})
    got = only(relay.deliver(RCPTS))
    assert got.cls == LATER and got.enhanced == "4.7.5" and got.text.startswith("TLS failed: "), got
    assert len(hop.sessions) == 1 and "event=tls-failed" in relay.said()


class Closer(Hop):
    """Ends each session as it should be ended, before a word in it."""

    def serve(self, s, session):
        s.sendall(b"220 hop.example\r\n")
        session.lines.append(s.recv(1000).decode())
        s.sendall(b"250-hop.example\r\n250 STARTTLS\r\n")
        session.lines.append(s.recv(1000).decode())
        s.sendall(b"220 go on\r\n")
        tls = self.starttls.wrap_socket(s, server_side=True)
        tls.recv(1000)
        tls.unwrap()


def test_an_end_that_was_said_is_no_failure_of_tls(beds, authority):
    hop = beds.keep(Closer(starttls=authority.context("IP:127.0.0.1")))
    got = only(beds.smart(hop).deliver(RCPTS))
    assert got.cls == LATER and got.text == "the next hop closed the connection" and len(hop.sessions) == 1, got
