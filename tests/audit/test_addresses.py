"""A host with two addresses: what one of them lacks is found there, and only there (issue: missing STARTTLS on one address)."""
import json

import pytest

from peers import A, AAAA
from postern_server import postern
from signed import SignedDns
from zoo import Animal, Habits

HOST = "mail.example.org"


@pytest.fixture
def dns():
    one = SignedDns({(HOST, A): ["127.0.0.1", "127.0.0.2"], (HOST, AAAA): []})
    yield one
    one.close()


def audit(papers, dns, target):
    done = postern("audit", "--json", "--timeout", "2", "--ca-file", papers.ca, "--resolver", dns.server, "--trust-anchor", "/dev/null", target, timeout=60)
    return done.returncode, json.loads(done.stdout)["targets"][0]


def test_one_address_without_starttls(papers, dns):
    chain, key = papers.issue("addresses", names=f"DNS:{HOST}")
    with Animal(Habits(chain=chain, key=key, implicit=False)) as good, \
            Animal(Habits(chain=chain, key=key, implicit=False, starttls=False, place=("127.0.0.2", good.port))):
        status, target = audit(papers, dns, f"{HOST}:{good.port}/submission")
    found = {e["address"]: {f["id"] for f in e["findings"]} for e in target["endpoints"]}
    assert status == 1 and set(found) == {"127.0.0.1", "127.0.0.2"}
    assert "starttls-missing" in found["127.0.0.2"] and "starttls-missing" not in found["127.0.0.1"]
    assert "strip-proof" in found["127.0.0.1"]


def test_no_address(papers, dns):
    status, target = audit(papers, dns, "nowhere.example.org:465")
    endpoint, = target["endpoints"]
    assert status == 2 and not target["examined"] and endpoint["kind"] == "a name without an address"
    finding, = endpoint["findings"]
    assert finding["id"] == "host-unknown" and "nowhere.example.org: it has no address" in finding["evidence"]
