"""What is wrong above the leaf, where the leaf itself is good: clients of today refuse it (RFC 5280 6.1.3, RFC 9325 4.5)."""
import json

import pytest
from postern_server import postern
from zoo import HOST, Animal, Habits

EC = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
PAST, FUTURE, NOW = ("20240101000000Z", "20250101000000Z"), ("20400101000000Z", "20490101000000Z"), ("20240101000000Z", "20490101000000Z")
ABOVE = {"expired": (EC, "sha256", PAST), "to-come": (EC, "sha256", FUTURE), "sha1": (EC, "sha1", NOW), "rsa1024": (("rsa:1024",), "sha256", NOW)}


def below(papers, stem):
    """(chain, key) of a good leaf that an intermediate CA of this kind has signed."""
    key, digest, dates = ABOVE[stem]
    papers.openssl("req", "-newkey", *key, "-nodes", "-subj", f"/CN=CA {stem}", "-keyout", f"{stem}-ca-key.pem", "-out", f"{stem}-ca.csr")
    (papers.folder / f"{stem}-ca.cnf").write_text("[v3]\nbasicConstraints=critical,CA:TRUE\n")
    papers.sign_dated(f"{stem}-ca", dates, digest)
    papers.openssl("req", "-newkey", *EC, "-nodes", "-subj", f"/CN={HOST}", "-keyout", f"{stem}-key.pem", "-out", f"{stem}.csr")
    (papers.folder / f"{stem}.cnf").write_text(f"[v3]\nbasicConstraints=CA:FALSE\nsubjectAltName=DNS:{HOST}\n")
    papers.openssl("x509", "-req", "-in", f"{stem}.csr", "-CA", f"{stem}-ca.pem", "-CAkey", f"{stem}-ca-key.pem", "-CAcreateserial", "-days", "90",
                   "-extfile", f"{stem}.cnf", "-extensions", "v3", "-out", f"{stem}.pem")
    chain = papers.folder / f"{stem}-chain.pem"
    chain.write_text((papers.folder / f"{stem}.pem").read_text() + (papers.folder / f"{stem}-ca.pem").read_text())
    return chain, papers.folder / f"{stem}-key.pem"


@pytest.mark.parametrize("stem", ABOVE)
def test_above_the_leaf(papers, stem):
    chain, key = below(papers, stem)
    with Animal(Habits(chain=chain, key=key)) as animal:
        done = postern("audit", "--json", "--timeout", "2", "--ca-file", papers.ca, animal.target, timeout=60)
    endpoint, = json.loads(done.stdout)["targets"][0]["endpoints"]
    bad = [f for f in endpoint["findings"] if f["severity"] not in ("good", "info", "low")]
    assert [f["id"] for f in bad] == ["cert-untrusted"] and endpoint["grade"] == "D" and done.returncode == 1, (bad, endpoint["grade"])
    assert "number 2 of the chain" in bad[0]["evidence"]
