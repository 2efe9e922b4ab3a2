"""A report is the same for the same host, whatever order the resolver gives its records in."""
import json

from peers import A, AAAA
from postern_server import free_port, postern
from signed import SignedDns

HOST, ADDRESSES = "mail.example.org", [f"127.0.0.{i}" for i in (5, 3, 1, 4, 2)]


def test_addresses():
    dns = SignedDns({(HOST, A): ADDRESSES, (HOST, AAAA): []})
    done = postern("audit", "--json", "--resolver", dns.server, "--trust-anchor", "/dev/null", f"{HOST}:{free_port()}/submission")
    dns.close()
    assert [e["address"] for e in json.loads(done.stdout)["targets"][0]["endpoints"]] == sorted(ADDRESSES)
