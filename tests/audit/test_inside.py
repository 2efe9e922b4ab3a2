"""What can only be seen from inside: --login and --active, against Postern and against servers that are wrong in one way (6409 6.1, 5321-eod)."""
import base64
import json

import pytest

from postern_server import postern
from schemas import validate
from zoo import Animal, Habits


def audit(ca, target, password, *options):
    done = postern("audit", "--json", "--timeout", "1", "--ca-file", ca, "--password-file", password, *options, target, timeout=90)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    validate("audit", report)
    endpoint = next(e for e in report["targets"][0]["endpoints"] if e["kind"] != "closed")
    return done, {f["id"]: f for f in endpoint["findings"]}


@pytest.fixture
def password(tmp_path):
    path = tmp_path / "password"
    path.write_text("not the right one\n")
    return path


def test_postern_from_inside(make_server, tmp_path):
    server = make_server(config="").start()
    key = server.add_key()
    password = tmp_path / "key"
    password.write_text(f"{server.key}\n")
    for target in (f"localhost:{server.submissions}/submissions", f"localhost:{server.submission}/submission"):
        done, found = audit(server.ca, target, password, "--login", server.login, "--sender", f"demo@{server.hostname}", "--active")
        assert done.returncode == 0 and {"sender-checked", "endings-good"} <= set(found), (key, found)
        assert "logs in as" in done.stderr and "nobody@example.com" in done.stderr
    assert server.mails() == []


def test_a_wrong_password(make_server, password):
    server = make_server(config="").start()
    server.add_key()
    _, found = audit(server.ca, f"localhost:{server.submissions}/submissions", password, "--login", server.login)
    assert found["login-failed"]["evidence"].startswith("login: 535")


def test_nothing_is_sent_where_the_certificate_does_not_verify(papers, password):
    chain, key = papers.issue("inside-elsewhere", names="DNS:elsewhere.example")
    with Animal(Habits(chain=chain, key=key, secrets=("someone",))) as animal:
        _, found = audit(papers.ca, animal.target, password, "--login", "someone")
        assert "does not verify" in found["login-unsent"]["evidence"] and "cert-other-name" in found
        assert not animal.responses


def test_a_server_without_plain(papers, password):
    """Old Exchange knows LOGIN and nothing else that others know."""
    chain, key = papers.issue("inside")
    with Animal(Habits(chain=chain, key=key, secrets=("someone",), auth="AUTH NTLM LOGIN")) as animal:
        _, found = audit(papers.ca, animal.target, password, "--login", "someone")
        assert "sender-unchecked" in found, found
        assert {base64.b64decode(r) for r in animal.responses} == {b"\0someone\0not the right one"}


@pytest.mark.parametrize("ending", [b"\n.\n", b"\r.\r\n", None])
def test_what_ends_a_message(papers, password, ending):
    chain, key = papers.issue("inside")
    habits = Habits(chain=chain, key=key, secrets=("someone",), ending=ending)
    with Animal(habits) as animal:
        _, found = audit(papers.ca, animal.target, password, "--login", "someone", "--active")
    assert ("smuggling" in found, "endings-good" in found) == (ending is not None, ending is None)
    assert "sender-unchecked" in found


@pytest.mark.parametrize("options", [["--login", "x"], ["--sender", "a b"], ["--password-file", "/dev/null", "--login", "x"]])
def test_what_is_missing(options):
    done = postern("audit", *options, "localhost")
    assert done.returncode == 64 and done.stderr.startswith("postern audit:")
