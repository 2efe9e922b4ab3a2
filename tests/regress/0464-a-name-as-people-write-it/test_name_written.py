"""Names with a dot at their end (RFC 1034 3.1, RFC 6066 3) and names that are not ASCII (RFC 5890 2.3.2.1) are examined as what they are."""
import json

import pytest
from peers import A, AAAA
from postern_server import postern
from signed import SignedDns
from zoo import Animal, Habits

NAMES = {"mail.example.org.": "mail.example.org", "bücher.example": "xn--bcher-kva.example"}


@pytest.fixture(scope="module")
def dns():
    one = SignedDns({(name, kind): ["127.0.0.1"] if kind == A else [] for name in NAMES.values() for kind in (A, AAAA)})
    yield one
    one.close()


@pytest.mark.parametrize("written", NAMES)
def test_written(papers, dns, written):
    chain, key = papers.issue("names", names=",".join(f"DNS:{name}" for name in NAMES.values()))
    with Animal(Habits(chain=chain, key=key)) as animal:
        done = postern("audit", "--json", "--timeout", "2", "--ca-file", papers.ca, "--resolver", dns.server, "--trust-anchor", "/dev/null",
                       f"{written}:{animal.port}/submissions", timeout=60)
    assert done.stdout, done.stderr
    target, = json.loads(done.stdout)["targets"]
    endpoint, = target["endpoints"]
    assert "cert-good" in [f["id"] for f in endpoint["findings"]], endpoint["findings"]
    assert target["target"] == NAMES[written]


@pytest.mark.parametrize("written", ["[fe80::1%lo]:465", "fe80::1%lo"])
def test_zone(written):
    done = postern("audit", written)
    assert done.returncode == 64 and "zone" in done.stderr


@pytest.mark.parametrize("written", ["[mail.example.org]:465", "[]:465"])
def test_brackets(written):
    """They are for addresses."""
    done = postern("audit", written)
    assert done.returncode == 64 and "bracket" in done.stderr
