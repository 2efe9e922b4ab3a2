"""A machine without a list of CA certificates says that of itself, and accuses nobody else (RFC 8314 4.1, RFC 9525 6)."""
import os
import shutil
import ssl

import pytest
from postern_server import postern
from zoo import Animal, Habits

WORDS = "this machine trusts no CA: "
MESSAGE = "From: a@example.org\nSubject: x\n\nx\n"


@pytest.fixture
def bare(tmp_path):
    """The environment of a machine without a list."""
    folder = tmp_path / "certs"
    folder.mkdir()
    return {"SSL_CERT_FILE": str(tmp_path / "cert.pem"), "SSL_CERT_DIR": str(folder)}


def send(server, env):
    done = postern("send", "--server", f"submissions://localhost:{server.submissions}", "--from", "a@example.org", "b@example.net",
                   input=MESSAGE, env=dict(os.environ, **env))
    assert done.returncode == 76, done.stderr
    return done.stderr


def test_send(server, bare):
    said = send(server, bare)
    assert "is not trusted here: " in said and f"{WORDS}{bare['SSL_CERT_FILE']} and {bare['SSL_CERT_DIR']} " in said, said
    assert "ca-certificates" in said, said


def test_send_with_a_list(server, bare, papers):
    """Be it a file, or a directory as c_rehash(1) makes it."""
    shutil.copy(papers.ca, f"{bare['SSL_CERT_DIR']}/5ed36f99.0")
    assert WORDS not in send(server, bare)
    os.unlink(f"{bare['SSL_CERT_DIR']}/5ed36f99.0")
    shutil.copy(papers.ca, bare["SSL_CERT_FILE"])
    assert WORDS not in send(server, bare)


@pytest.mark.parametrize(("more", "doubted"), [
    ('relay = "submissions://smart.example.net"', True), ('relay = "mx"', True), ('relay = "maildir:/var/tmp/mail"', False),
    ('relay = "submissions://smart.example.net"\nrelay-ca-file = "{ca}"', False),
    ('relay = "maildir:/var/tmp/mail"\nwebhook-secret = "{secret}"\nwebhook = "https://example.org/"', True),
    ('relay = "maildir:/var/tmp/mail"\nwebhook-secret = "{secret}"\nwebhook = "http://127.0.0.1/"', False),
])
def test_check(bare, papers, tmp_path, more, doubted):
    conf, secret = tmp_path / "postern.conf", tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("a secret of some length")
    conf.write_text(f'hostname = "mail.example.org"\nstate-dir = "{tmp_path}/state"\n{more}\n'.replace("{ca}", str(papers.ca)).replace("{secret}", str(secret)))
    done = postern("check", "--config", conf, env=dict(os.environ, **bare))
    assert done.returncode == 0, done.stderr
    assert (WORDS in done.stdout) == doubted, done.stdout


def test_serve(make_server, bare, tmp_path):
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("a secret of some length")
    one = make_server(config=f'relay = "mx"\ndns-server = "127.0.0.1@9"\nwebhook = "https://127.0.0.1:9/"\nwebhook-secret = "{secret}"\n',
                      env=bare).start()
    one.await_event("no-ca", count=2)
    assert all(WORDS in e["why"] for e in one.events("no-ca"))


@pytest.mark.skipif(not os.path.exists(ssl.get_default_verify_paths().openssl_cafile), reason="this machine has no list")
def test_serve_with_a_list(make_server):
    """The cage is open for the usual places."""
    usual = ssl.get_default_verify_paths()
    one = make_server(config='relay = "mx"\ndns-server = "127.0.0.1@9"\n',
                      env={"SSL_CERT_FILE": usual.openssl_cafile, "SSL_CERT_DIR": usual.openssl_capath}).start()
    one.await_event("dane-off")
    one.stop()
    assert not one.events("no-ca")


def test_audit(papers, bare, tmp_path):
    """It would find that nobody trusts what everybody else trusts."""
    chain, key = papers.issue("good")
    with Animal(Habits(chain=chain, key=key)) as animal:
        done = postern("audit", "--json", "--timeout", "2", animal.target, env=dict(os.environ, **bare))
        assert done.returncode == 2 and WORDS in done.stderr and "--ca-file" in done.stderr, done.stderr
        kept = tmp_path / "kept"
        done = postern("audit", "--json", "--timeout", "2", "--ca-file", papers.ca, "--save", kept, animal.target, env=dict(os.environ, **bare))
        assert WORDS not in done.stderr, done.stderr
    judged = postern("audit", "--json", "--judge", kept, env=dict(os.environ, **bare))
    assert judged.stdout == done.stdout
