"""A REQUIRETLS message waits while it is not known whether MTA-STS vouches for the host. 8689-2, 8689-3"""
import pytest

from peers import DELIVERED, LATER, NEVER
from signed import TXT
from test_sts import DOMAIN, FLAG_REQUIRETLS, good, send, web_context, world  # noqa: F401

RECORD = ("_mta-sts." + DOMAIN, TXT)


@pytest.mark.parametrize("what", ["no policy host", "no record server", "rubbish"])
def test_it_waits(world, good, what):  # noqa: F811
    hop = world.hop(starttls=good, offers=["PIPELINING", "REQUIRETLS"])
    if what == "no record server":
        world.records[RECORD] = "SERVFAIL"
    else:
        world.serve(**({"status": "503 Not Now"} if what == "no policy host" else {"body": "<html>\n"}))
    relay = world.relay(hop)
    r = send(relay, flags=FLAG_REQUIRETLS)
    assert (r.cls, r.enhanced) == (LATER, "4.7.5") and "MTA-STS" in r.text, r
    assert not hop.sessions
    # Nobody else is held up by it.
    assert send(relay).cls == DELIVERED


def test_who_has_no_record_has_no_policy(world, good):  # noqa: F811
    del world.records[RECORD]
    hop = world.hop(starttls=good, offers=["PIPELINING", "REQUIRETLS"])
    r = send(world.relay(hop), flags=FLAG_REQUIRETLS)
    assert (r.cls, r.enhanced) == (NEVER, "5.7.30") and not hop.sessions, r
