"""With a login, a domain's password goes only to who the domain itself names for it."""
import pytest

from test_domain import A, DOMAIN, HOST, MX, SRV, World, found, port_of, srv
from zoo import Animal, Habits

ELSEWHERE = "mail.hoster.example"


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
