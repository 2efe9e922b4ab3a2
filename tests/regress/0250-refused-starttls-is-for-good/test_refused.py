"""A 5yz to EHLO or STARTTLS ends no mail whose receiver demands TLS. dane-3, sts-5, sts-6"""
import pytest

from peers import DELIVERED, LATER, NEVER
from signed import TLSA, TXT
from test_sts import DOMAIN, FLAG_REQUIRETLS, HOST, good, send, untouched, web_context, world  # noqa: F401


@pytest.mark.parametrize("verb", ["EHLO", "STARTTLS"])
@pytest.mark.parametrize("how", ["sts", "dane"])
def test_it_waits(world, good, verb, how):  # noqa: F811
    hop = world.hop(script={verb: "502 5.5.1 what?"}, starttls=good)
    if how == "dane":
        world.signed = True
        del world.records["_mta-sts." + DOMAIN, TXT]
        world.records["_%d._tcp.%s" % (hop.port, HOST), TLSA] = [(3, 1, 1, b"x" * 32)]
    relay = world.relay(hop)
    r = send(relay)
    assert r.cls == LATER and r.enhanced.startswith("4.") and "what?" in r.text, r
    untouched(hop)
    assert "result=starttls-not-supported" in relay.said()


@pytest.mark.parametrize("verb", ["EHLO", "STARTTLS"])
def test_where_nobody_demands_it_mail_goes(world, good, verb):  # noqa: F811
    del world.records["_mta-sts." + DOMAIN, TXT]
    r = send(world.relay(world.hop(script={verb: "502 5.5.1 what?"}, starttls=good)))
    assert r.cls == DELIVERED and r.tls == "none", r


def test_what_the_message_alone_demands_comes_back(world, good):        # 8689-3  # noqa: F811
    world.signed = True
    del world.records["_mta-sts." + DOMAIN, TXT]
    hop = world.hop(script={"STARTTLS": "502 5.5.1 what?"}, starttls=good)
    r = send(world.relay(hop), flags=FLAG_REQUIRETLS)
    assert r.cls == NEVER, r
    untouched(hop)
