"""Debian's Postfix, Exim and OpenSMTPD, set up for submission as their manuals say: docs/audit-compared.md explains what they get."""
import json
import pathlib
import sys

import pytest

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent), str(here.parent / "relay")]
from citizens import HOST, Exim, Missing, OpenSMTPD, Postfix  # noqa: E402
from peers import A, AAAA  # noqa: E402
from postern_server import postern  # noqa: E402
from schemas import validate  # noqa: E402
from signed import SignedDns  # noqa: E402
from zoo import Papers  # noqa: E402


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def dns():
    one = SignedDns({(HOST, A): ["127.0.0.1"], (HOST, AAAA): []})
    yield one
    one.close()


def audit(papers, dns, citizen, service):
    port = citizen.submissions if service == "submissions" else citizen.submission
    done = postern("audit", "--json", "--ca-file", papers.ca, "--resolver", dns.server, "--trust-anchor", "/dev/null", f"{HOST}:{port}/{service}", timeout=60)
    assert done.returncode in (0, 1), done
    report = json.loads(done.stdout)
    validate("audit", report)
    endpoint, = report["targets"][0]["endpoints"]
    return endpoint


# On 465 as the manual has it, on 587 with the lines of the report: grade, what is not good, and what is.
EXPECTED = {
    Postfix: (("F", {"cipher-null", "mail-before-auth", "tls10", "tls11", "cipher-cbc", "client-order", "no-channel-binding", "cert-no-sct"},
               {"implicit-tls", "cert-good", "sni-good"}),
              ("A", {"no-channel-binding", "cert-no-sct"}, {"strip-proof", "sni-good", "tls-modern", "cert-good", "login-demanded"})),
    Exim: (("B", {"tls10", "tls11", "cipher-cbc", "client-order", "no-scram", "cert-no-sct"},
            {"implicit-tls", "cert-good", "sni-good", "login-demanded"}),
           ("A", {"no-scram", "cert-no-sct"}, {"strip-proof", "sni-good", "tls-modern", "cert-good", "login-demanded"})),
    OpenSMTPD: (("D", {"tls-fails"}, set()), ("D", {"tls-fails"}, {"strip-proof"})),
}


@pytest.mark.parametrize("kind", EXPECTED, ids=lambda k: k.__name__)
def test_citizen(papers, dns, kind):
    try:
        with kind(papers) as citizen:
            endpoints = [audit(papers, dns, citizen, service) for service in ("submissions", "submission")]
    except Missing as why:
        pytest.skip(str(why))
    for endpoint, (grade, bad, good) in zip(endpoints, EXPECTED[kind]):
        found = {f["id"]: f["severity"] for f in endpoint["findings"]}
        assert {i for i, severity in found.items() if severity != "good"} == bad, json.dumps(endpoint["findings"], indent=1)
        assert {i for i, severity in found.items() if severity == "good"} == good
        assert endpoint["grade"] == grade
