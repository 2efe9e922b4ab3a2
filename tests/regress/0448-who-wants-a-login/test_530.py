"""530 is about the session, not about the message."""
import pytest

from peers import A, LATER, MX, NEVER, World, only


@pytest.fixture
def beds():
    one = World()
    yield one
    one.close()


def at_mx(beds, hop):
    names = beds.dns({("one.example", MX): [(10, "mx.one.example")], ("mx.one.example", A): ["127.0.0.1"]})
    relay = beds.relay({"relay": "mx", "relay-port": hop.port, "dns-server": names.server})
    return only(relay.deliver(["b@one.example"], destination="one.example"))


@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA"])
def test_a_smart_host_wants_a_login(beds, at):
    got = only(beds.smart(beds.hop({at: "530 5.7.0 Authentication required"})).deliver(["b@one.example"]))
    assert (got.cls, got.code, got.enhanced) == (LATER, 530, "4.7.0"), got


def test_a_handshake_that_failed(beds):                                 # RFC 3207 4
    got = at_mx(beds, beds.hop({"MAIL": "530 5.7.0 Must issue a STARTTLS command first"}, starttls="broken"))
    assert (got.cls, got.code) == (LATER, 530) and "TLS failed" in got.tls, got


def test_a_mail_exchanger_that_takes_no_strangers(beds):
    got = at_mx(beds, beds.hop({"MAIL": "530 5.7.0 Authentication required"}))
    assert (got.cls, got.code) == (NEVER, 530), got
