"""Servers that have enough of being examined: what they did not answer is not held against them, and is named (5321-74)."""
import json

import pytest

from peers import A, AAAA
from postern_server import free_port, postern
from signed import SignedDns
from zoo import Animal, Habits

WEIGHT = ["good", "info", "low", "medium", "high", "critical"]
BUSY = "421 4.7.0 too many connections from you"
# name: (habits, sign, {words of what could not be examined})
ANIMALS = {
    "421 over TLS": ({"tired_after": 1, "enough": BUSY}, BUSY, {"what is said over TLS, in part"}),
    "421 in clear": ({"implicit": False, "tired_after": 9, "enough": BUSY}, BUSY, {"versions and suites of TLS", "renegotiation"}),
    "closes at once": ({"tired_after": 8}, "closed at once", {"versions and suites of TLS", "renegotiation", "what a login may do"}),
    "closes at once, in clear": ({"implicit": False, "tired_after": 3}, "ended instead of a reply", {"what is offered and taken in clear", "injection"}),
}
SRV = 33
UNASKED = {"greeting-name", "ehlo-name", "no-close-notify"}


def srv(priority, port):
    return bytes([0, priority, 0, 1]) + port.to_bytes(2, "big") + b"\4mail\7example\3org\0"


def examine(papers, animal, *options):
    done = postern("audit", "--json", "--timeout", "1", "--ca-file", papers.ca, *options, f"127.0.0.1:{animal.target.split(':')[1]}", timeout=60)
    target, = json.loads(done.stdout)["targets"]
    endpoint, = target["endpoints"]
    return done.returncode, endpoint, {f["id"]: f for f in endpoint["findings"]}


@pytest.mark.parametrize("name", ANIMALS)
def test_throttled(papers, name):
    habits, sign, parts = ANIMALS[name]
    chain, key = papers.issue("throttled")
    with Animal(Habits(chain=chain, key=key, **habits)) as animal:
        status, endpoint, found = examine(papers, animal)
    evidence = found["throttled"]["evidence"]
    assert sign in evidence and all(part in evidence for part in parts), evidence
    # Nothing is concluded from what was not answered; and no good grade, no "all is well" either.
    assert {i for i, f in found.items() if WEIGHT.index(f["severity"]) >= WEIGHT.index("low")} <= UNASKED | {"turned-away"}, json.dumps(endpoint, indent=1)
    assert endpoint["grade"] is None or "turned-away" in found
    assert status == 2 and ("turned-away" in found) == (name == "421 over TLS")


def test_another_port_of_the_same_host(papers):
    """Whom one port has tired out, the other will not see: that is no closed port."""
    chain, key = papers.issue("throttled-mail", names="DNS:mail.example.org")
    with Animal(Habits(chain=chain, key=key, tired_after=6, deaf=True)) as animal:
        port = int(animal.target.split(":")[1].split("/")[0])
        dns = SignedDns({("_submissions._tcp.example.org", SRV): [srv(0, port)], ("_submission._tcp.example.org", SRV): [srv(1, free_port())],
                         ("mail.example.org", A): ["127.0.0.1"], ("mail.example.org", AAAA): []}, [])
        done = postern("audit", "--json", "--timeout", "1", "--ca-file", papers.ca, "--resolver", dns.server, "--trust-anchor", "/dev/null", "@example.org",
                       timeout=60)
        dns.close()
    _, first, second = json.loads(done.stdout)["targets"][0]["endpoints"]
    assert first["kind"] == "SMTP over TLS" and second["kind"] == "not examined"
    found = {f["id"]: f["evidence"] for f in second["findings"]}
    assert found["throttled"] == "refused, after too much was asked at another port. Not examined: everything" and "port-closed" not in found


def test_the_pace_is_kept_and_said(papers):
    chain, key = papers.issue("throttled")
    with Animal(Habits(chain=chain, key=key)) as animal:
        _, _, found = examine(papers, animal, "--pace", "20")
    assert found["paced"]["evidence"] == f"{len(animal.times)} connections, at least 20 ms apart"
    # They are begun 20 ms apart; when a thread here comes to see them varies.
    assert (animal.times[-1] - animal.times[0]) / (len(animal.times) - 1) > 0.019


def test_watch_does_not_take_it_for_gone(papers, tmp_path):
    state = tmp_path / "state"
    chain, key = papers.issue("throttled-self-signed", issuer=False)
    with Animal(Habits(chain=chain, key=key)) as animal:
        target = f"127.0.0.1:{animal.target.split(':')[1]}"
        assert "cert-self-signed" in postern("audit", "--watch", state, target).stdout
        animal.habits.tired_after, animal.habits.enough = 1, BUSY
        done = postern("audit", "--watch", state, target)
    assert "kept" in done.stdout and "cert-self-signed" not in done.stdout and "cert-trust 18" in state.read_text()
    # What was seen and fails, fails all the same.
    assert done.returncode == 1


@pytest.mark.parametrize("bad", [["--pace", "10001"], ["--pace", "-1"], ["--slow-max", "0"], ["--slow-max", "3601"], ["--autoconfig-port", "0"]])
def test_bad_arguments(bad):
    done = postern("audit", *bad, "localhost")
    assert done.returncode == 64 and bad[1] in done.stderr
