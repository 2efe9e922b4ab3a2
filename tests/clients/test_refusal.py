"""What must not go through does not, and each client's own exit status says so."""
import smtplib
import socket

import pytest

from gate import gate, other_ca, other_name  # noqa: F401
from letters import STRANGER, letter
from mailers import HELO, TABLE, missing

CLIENTS = list(TABLE)
SERVICES = ["submissions", "submission"]


def refused(gate, name, sent=None, **door):  # noqa: F811
    """The client's words, after it has failed and nothing has arrived."""
    if missing(name):
        pytest.skip(missing(name))
    done = gate.nothing_arrives(lambda: TABLE[name].submit(gate.door(**door), sent or letter()))
    assert done.status != 0, done.words
    return done.words


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", CLIENTS)
def test_wrong_password(gate, name, service):  # noqa: F811
    """4954-17: 535, and nothing goes on without it."""
    seen = len(gate.server.events("auth", result="fail"))
    refused(gate, name, service=service, password="0000-0000-0000-0000-0000-0000-0000")
    assert len(gate.server.events("auth", result="fail")) > seen


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", CLIENTS)
def test_wrong_ca(gate, other_ca, name, service):  # noqa: F811
    """8314-3: the client sees that we are not whom it trusts, and keeps its password to itself."""
    seen = len(gate.server.events("authenticated"))
    refused(gate, name, service=service, ca=other_ca)
    assert len(gate.server.events("authenticated")) == seen + 1, "the letter behind it, and no more"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", [name for name in CLIENTS if TABLE[name].names])
def test_wrong_name(other_name, name, service):  # noqa: F811
    """8314-3, ident-8: a good certificate for another name is no good."""
    if missing(name):
        pytest.skip(missing(name))
    done = TABLE[name].submit(other_name.door(service), letter())
    assert done.status != 0, done.words
    assert other_name.server.events("authenticated") == [] and other_name.mails() == []


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", CLIENTS)
def test_reverse_path_of_somebody_else(gate, name, service):  # noqa: F811
    """6409-13: 550 to MAIL."""
    words = refused(gate, name, letter(sender=STRANGER), service=service)
    assert "5.7.1" in words and ("550" in words or name == "git"), words


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", [name for name in CLIENTS if name not in ("git", "s-nail")])
def test_author_that_is_somebody_else(gate, name, service):  # noqa: F811
    """6409-15: 550 to the final dot, when the From field is not the login's. (git and s-nail write that field themselves.)"""
    words = refused(gate, name, letter(author=STRANGER), service=service)
    assert "5.7.1" in words and "550" in words, words


@pytest.mark.parametrize("name", CLIENTS)
def test_no_password_in_the_clear(gate, name):  # noqa: F811
    """4954-21: a client that is told to do without TLS gets nowhere."""
    seen = len(gate.server.events("auth"))
    refused(gate, name, service="clear")
    assert len(gate.server.events("auth")) == seen + 1, "the letter behind it, and no more"


def test_no_password_in_the_clear_whoever_tries(gate):  # noqa: F811
    """4954-21: AUTH is not offered before STARTTLS, and refused to those who try."""
    with smtplib.SMTP(gate.server.host, gate.server.submission, HELO, timeout=20) as smtp:
        smtp.ehlo()
        assert "auth" not in smtp.esmtp_features and "starttls" in smtp.esmtp_features
        assert smtp.docmd("AUTH", "PLAIN AGFsaWNlAHNlY3JldA==")[0] in (530, 538)
        assert smtp.docmd("AUTH", "LOGIN")[0] in (530, 538)
        assert smtp.docmd("MAIL", "FROM:<alice@example.org>")[0] == 530


def test_clear_text_on_the_tls_port_is_no_conversation(gate):  # noqa: F811
    """8314-1: no SMTP in the clear on the port of implicit TLS; one line says what is wrong (docs/decisions/0017), and that is the end."""
    with socket.create_connection((gate.server.host, gate.server.submissions), 20) as tcp:
        tcp.sendall(b"EHLO laptop.example.org\r\n")
        try:
            said = tcp.makefile("rb").read(512)
        except ConnectionResetError:
            said = b"554 "
        assert said.startswith(b"554 ") and said.count(b"\n") <= 1, "one refusal"


@pytest.mark.parametrize("name", ["curl", "msmtp", "swaks", "nodemailer", "git", "Net-SMTP", "smtplib"])
def test_cram_md5_is_not_spoken(gate, name):  # noqa: F811
    """What needs the password itself on our side is not on offer, and clients that insist fail."""
    refused(gate, name, mechanism="CRAM-MD5")
