"""What ended a handshake is what is said of it."""
import ssl

import pytest

from peers import DELIVERED, World, only


@pytest.fixture
def beds():
    one = World()
    yield one
    one.close()


def test_an_alert_to_who_demands_nothing(beds, authority):
    context = authority.context("IP:127.0.0.1")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.ca)
    relay = beds.smart(beds.hop(starttls=context))
    got = only(relay.deliver(["b@next.example"]))
    assert got.cls == DELIVERED
    assert got.tls == "none (TLS failed: server ended the handshake (alert handshake_failure))", got
    failed = [line for line in relay.said().splitlines() if "event=tls-failed" in line]
    assert len(failed) == 1 and "result=validation-failure" in failed[0] and "not trusted" not in failed[0], failed
