"""Domains whose name servers never answer do not hold up the look-ups of others (see WHY)."""
import time

from peers import A, AAAA, DELIVERED, MX, Dns, Hop, Relay


def test_silent_domains_delay_nobody():
    hop = Hop()
    names = {("silent%d.example" % i, MX): "SILENCE" for i in range(60)}
    for i in range(5):
        names.update({("live%d.example" % i, MX): [(10, "mx.live%d.example" % i)], ("mx.live%d.example" % i, A): ["127.0.0.1"],
                      ("mx.live%d.example" % i, AAAA): []})
    dns = Dns(names)
    relay = Relay({"relay": "mx", "relay-port": str(hop.port), "dns-server": dns.server, "mta-sts": "no"})
    try:
        for i in range(60):
            relay.attempt(["b@silent%d.example" % i], destination="silent%d.example" % i)
        time.sleep(1)
        for i in range(5):
            begun = time.monotonic()
            result = relay.deliver(["b@live%d.example" % i], destination="live%d.example" % i)[0]
            assert result.cls == DELIVERED and time.monotonic() - begun < 3, result
    finally:
        relay.stop()
        hop.close()
        dns.close()
