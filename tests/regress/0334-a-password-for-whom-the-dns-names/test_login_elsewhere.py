"""With a login, a domain's password goes only to who the domain itself names for it."""
import pathlib
import sys

import pytest

tests = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(tests / "audit"), str(tests), str(tests / "relay")]
from test_domain import A, DOMAIN, HOST, MX, SRV, World, found, port_of, srv  # noqa: E402
from zoo import Animal, Habits, Papers  # noqa: E402

ELSEWHERE = "mail.hoster.example"


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.mark.parametrize("host, signed, goes", [(ELSEWHERE, False, False), (ELSEWHERE, True, True), (HOST, False, True)])
def test_where_the_password_goes(papers, tmp_path, host, signed, goes):
    chain, key = papers.issue(f"login-{host}", names=f"DNS:{host}")
    password = tmp_path / "password"
    password.write_text("secret\n")
    with Animal(Habits(chain=chain, key=key, secrets=("someone",))) as animal:
        animal.papers = papers
        w = World(tmp_path, {(f"_submissions._tcp.{DOMAIN}", SRV): [srv(0, port_of(animal), host)], (host, A): ["127.0.0.1"],
                             (DOMAIN, MX): []}, signed)
        try:
            _, endpoints = w.audit(animal, f"@{DOMAIN}", "--login", "someone", "--password-file", str(password))
        finally:
            w.dns.close()
        one = next(e for e in endpoints if e.get("port") == port_of(animal))
        assert bool(animal.responses) == goes, found(one)
        assert ("login-unsent" in found(one)) != goes
        assert goes or "DNSSEC" in found(one)["login-unsent"]["evidence"]
