"""A reply that makes no sense is quoted."""
import pytest

from peers import LATER, World, only


@pytest.fixture
def beds():
    one = World()
    yield one
    one.close()


@pytest.mark.parametrize("at, says, words", [
    ("GREETING", "SSH-2.0-OpenSSH_9.2", "the peer's reply is not SMTP: \"SSH-2.0-OpenSSH_9.2\""),
    ("GREETING", "<html>" + "x" * 5000, "the peer's reply is not SMTP: \"<html>" + "x" * 94 + "\""),
    ("RCPT", "550-5.1.1 a\r\n450 4.1.1 b", "the peer's reply is not SMTP: \"450 4.1.1 b\""),
    ("RCPT", "550 5.1.1 a\nb", "the peer's reply is not SMTP: \"550 5.1.1 a\""),
    ("RCPT", "\x1b[31m\x07", "the peer's reply is not SMTP: \"?[31m?\""),
    ("RCPT", "354 what", "the peer's reply makes no sense: \"354 what\""),
    ("DATA", "250 what", "the peer's reply to DATA makes no sense: \"250 what\""),
    ("RSET", "550 never", "the peer refuses RSET: \"550 never\""),
])
def test_what_came_is_told(beds, at, says, words):
    relay = beds.smart(beds.hop({at: says, "DATA": ["451 4.3.0 later"]} if at == "RSET" else {at: says}))
    got = only(relay.deliver(["b@x.example"]))
    if at == "RSET":
        got = only(relay.deliver(["b@x.example"]))
    assert got.cls == LATER and got.code == 0 and got.text == words, got


def test_a_password_is_not(beds, authority):
    hop = beds.hop({"AUTH": "AUTH PLAIN AGFsaWNlAHNlY3JldA=="}, implicit=authority.context("IP:127.0.0.1"), users={"alice": "secret"})
    relay = beds.relay({"relay": "submissions://alice@127.0.0.1:%d" % hop.port, "relay-ca-file": authority.ca}, password="secret")
    got = only(relay.deliver(["b@x.example"]))
    assert got.cls == LATER and got.text == "the peer's reply is not SMTP", got
    assert "AGFs" not in relay.said()
