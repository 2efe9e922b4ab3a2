"""A domain with letters outside ASCII goes in A-labels, in the envelope and in the header. RFC 5891 4.4; 6531-6."""
import smtplib

import pytest

from postern_server import postern
from scripted_server import ScriptedServer, submit

A = "xn--bcher-kva.example"


def sent(tmp_path, text, *arguments, offers=("8BITMIME", ), account="", **more):
    with ScriptedServer(offers=list(offers)) as server:
        done = submit(tmp_path, server, *arguments, input=text.encode(), account=account, **more)
    return done, server.messages


def test_recipient(tmp_path):
    done, (mail, ) = sent(tmp_path, "Subject: x\n\nbody\n", "-i", "b@Bücher.example")
    assert (done.returncode, done.stderr, mail["rcpt"]) == (0, b"", [f"b@{A}"]) and "SMTPUTF8" not in mail["mail"]


@pytest.mark.parametrize("before, after", [
    ("b@bücher.example", f"b@{A}"), ("Bo <b@bücher.example>", f"Bo <b@{A}>"), ("<b@bücher.example>, c@example.net", f"<b@{A}>, c@example.net"),
    ("c, b@bücher.example", f"c@example.org, b@{A}"), ("Friends: b@bücher.example, <c@bücher.example>;", f"Friends: b@{A}, <c@{A}>;"),
    ("b@bücher.example (Bo)", f"b@{A} (Bo)"), ("b@bücher.example,\n c@bücher.example", f"b@{A},\r\n c@{A}")])
def test_header(tmp_path, before, after):
    done, (mail, ) = sent(tmp_path, f"To: {before}\nSubject: ü\n\nbody\n", "-t")
    assert (done.returncode, done.stderr) == (0, b"") and "SMTPUTF8" not in mail["mail"] and f"b@{A}" in mail["rcpt"]
    assert f"To: {after}\r\n".encode() in mail["content"] and mail["content"].isascii()


def test_a_name_too(tmp_path):
    done, (mail, ) = sent(tmp_path, "To: Jürgen <b@bücher.example>\n\nbody\n", "-t")
    assert done.returncode == 0 and mail["content"].isascii() and f"<b@{A}>".encode() in mail["content"] and b"=?utf-8?" in mail["content"].lower()


def test_sender(tmp_path):
    done, (mail, ) = sent(tmp_path, "Subject: x\n\nbody\n", "-i", "-f", "alice@bücher.example", "b@example.net")
    assert (done.returncode, done.stderr, mail["from"]) == (0, b"", f"alice@{A}")
    assert f"From: <alice@{A}>\r\n".encode() in mail["content"] and f"@{A}>\r\n".encode() in mail["content"]


def test_what_stands_before_the_at_has_one_form(tmp_path):
    for text in ("To: ü@bücher.example\n\nbody\n", "To: b@bücher.example, ü@example.net\n\nbody\n"):
        done, messages = sent(tmp_path, text, "-t")
        assert done.returncode == 65 and b"SMTPUTF8" in done.stderr and not messages
    done, (mail, ) = sent(tmp_path, text, "-t", offers=("8BITMIME", "SMTPUTF8"))
    assert done.returncode == 0 and "SMTPUTF8" in mail["mail"] and "To: b@bücher.example, ü@example.net\r\n".encode() in mail["content"]


def test_who_may_send_from_one_form_may_from_the_other(server):
    """A grant is of both forms, for a client says either."""
    for words in (["add", "bo", "--address", "bo@bücher.example"], ["key", "bo", "laptop", "--from", "bo@bücher.example"]):
        done = postern("user", *words, *server.options)
        assert done.returncode == 0, done.stderr
    with smtplib.SMTP_SSL(server.host, server.submissions, timeout=20, context=server.context()) as smtp:
        smtp.login("bo", done.stdout.strip())
        for sender in (f"bo@{A}", "bo@bücher.example"):
            smtp.mail(sender, ["SMTPUTF8"])
            smtp.rcpt("b@example.net")
            code, said = smtp.data(f"From: {sender}\r\nSubject: x\r\n\r\nx\r\n".encode())
            assert code == 250, said
    assert len(server.await_mails(2)) == 2
