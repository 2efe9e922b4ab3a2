"""`postern user unlock` frees the login that is meant, however its name is spelled."""
import json
import smtplib

import pytest
from postern_server import postern


def ask(one, *words):
    return postern("user", *words, *one.options)


def locks(one, *words):
    done = ask(one, "locks", *words, "--json")
    assert done.returncode == 0, done.stderr
    return [(x["login"], x["step"]) for x in json.loads(done.stdout)]


def hold(one):
    context = one.context()
    context.check_hostname = False      # smtplib asks for the address that it connects to
    with smtplib.SMTP_SSL(one.host, one.submissions, context=context, source_address=("127.9.0.9", 0), timeout=30) as client:
        client.login("alice/laptop", one.key)
        for _ in range(2):
            client.mail("alice@example.org")
            for i in range(60):
                client.rcpt(f"u{i}@example.net")
            assert client.data("From: alice@example.org\n\nhello\n")[0] == 250


@pytest.fixture
def one(make_server):
    server = make_server(config="fronts = 1\n")
    server.add_key("alice", "alice@example.org", "laptop")
    server.start()
    yield server
    assert server.stop() == 0


def test_any_spelling_frees_it(one):
    hold(one)
    assert locks(one) == locks(one, "ALICE/Laptop") == [("alice/laptop", "held")]
    done = ask(one, "unlock", "ALICE/Laptop")
    assert done.returncode == 0, done.stderr
    assert locks(one) == []
    assert one.await_event("unlocked")["login"] == "alice/laptop"


@pytest.mark.parametrize("network", ["192.0.2.7/99x", "192.0.2.7/", "192.0.2.0/23", "2001:db8::/129", "/24", "home"])
def test_what_is_no_network(one, network):
    done = ask(one, "unlock", "alice/laptop", "--network", network)
    assert done.returncode == 65 and "not a network" in done.stderr
    assert not one.events("unlocked")


def test_what_is_one(one):
    for network in ("192.0.2.7", "192.0.2.0/24", "192.0.2.7/24", "2001:db8::7", "2001:db8::/48", "2001:db8::/64"):
        done = ask(one, "unlock", "alice/laptop", "--network", network)
        assert done.returncode == 0, done.stderr
