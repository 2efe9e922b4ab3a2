"""Debian's Postfix, Exim and OpenSMTPD, set up for submission as their manuals say: docs/audit-compared.md explains what they get."""
import contextlib
import json

import pytest

from citizens import HOST, Exim, Missing, OpenSMTPD, Postfix
from peers import A, AAAA
from postern_server import postern
from schemas import validate
from signed import SignedDns


@pytest.fixture(scope="module")
def dns():
    one = SignedDns({(HOST, A): ["127.0.0.1"], (HOST, AAAA): []})
    yield one
    one.close()


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


@pytest.fixture(scope="module")
def examined(papers, dns):
    """{kind: its endpoints on 465 and 587, or why it is missing}; all are examined side by side."""
    found, running, targets = {}, {}, []
    with contextlib.ExitStack() as stack:
        for kind in EXPECTED:
            try:
                running[kind] = stack.enter_context(kind(papers))
            except Missing as why:
                found[kind] = str(why)
        targets = [f"{HOST}:{port}/{service}" for c in running.values() for port, service in ((c.submissions, "submissions"), (c.submission, "submission"))]
        if targets:
            done = postern("audit", "--json", "--ca-file", papers.ca, "--resolver", dns.server, "--trust-anchor", "/dev/null", *targets, timeout=60)
            assert done.returncode in (0, 1), done
            report = json.loads(done.stdout)
            validate("audit", report)
            endpoints = [endpoint for target in report["targets"] for endpoint in target["endpoints"]]
            assert len(endpoints) == len(targets)
            found.update({kind: endpoints[2 * i:2 * i + 2] for i, kind in enumerate(running)})
    return found


@pytest.mark.parametrize("kind", EXPECTED, ids=lambda k: k.__name__)
def test_citizen(examined, kind):
    if isinstance(examined[kind], str):
        pytest.skip(examined[kind])
    for endpoint, (grade, bad, good) in zip(examined[kind], EXPECTED[kind]):
        found = {f["id"]: f["severity"] for f in endpoint["findings"]}
        assert {i for i, severity in found.items() if severity != "good"} == bad, json.dumps(endpoint["findings"], indent=1)
        assert {i for i, severity in found.items() if severity == "good"} - {"paced"} == good
        assert endpoint["grade"] == grade
