"""Subjects of programs that do not know RFC 2047. 6531-6; RFC 2047 2, 5, 6.2."""

import email
import email.policy

import pytest

from scripted_server import ScriptedServer, submit


def sent(tmp_path, message, offers=()):
    with ScriptedServer(offers=list(offers)) as server:
        done = submit(tmp_path, server, "-i", "b@example.net", input=message)
    return done, server.messages


@pytest.mark.parametrize("subject", ["Grüße", "one two Grüße three", "Ü", "für Ölße " * 30, "x" * 90 + " ü", "日本語の件名" * 20, "a ü b ü c", "ü  ü", "ü\n und\n\tö x"])
def test_it_arrives_at_a_plain_server(tmp_path, subject):
    done, messages = sent(tmp_path, f"Subject: {subject}\nX-Y: z\n\nbody\n".encode())
    assert (done.returncode, done.stderr) == (0, b"")
    head = messages[0]["content"].split(b"\r\n\r\n")[0]
    assert head.isascii() and "SMTPUTF8" not in messages[0]["mail"]
    assert all(len(line) <= 76 for line in head.split(b"\r\n") if b"=?" in line)
    message = email.message_from_bytes(messages[0]["content"], policy=email.policy.SMTP)
    assert message["Subject"] == subject.replace("\n", "").rstrip() and message["X-Y"] == "z"


def test_what_is_not_utf8_is_called_so(tmp_path):
    done, messages = sent(tmp_path, "Subject: Grüße\n\nbody\n".encode("latin-1"))
    assert done.returncode == 0 and b"Subject: =?unknown-8bit?B?R3L832U=?=\r\n" in messages[0]["content"]


def test_what_is_signed_stays(tmp_path):
    signed = "DKIM-Signature: v=1\nSubject: Grüße\n\nbody\n".encode()
    done, messages = sent(tmp_path, signed)
    assert done.returncode == 65 and not messages
    done, messages = sent(tmp_path, signed, ["8BITMIME", "SMTPUTF8"])
    assert done.returncode == 0 and "SMTPUTF8" in messages[0]["mail"] and "Subject: Grüße\r\n".encode() in messages[0]["content"]


def test_ascii_is_left_alone(tmp_path):
    _, messages = sent(tmp_path, b"Subject: =?utf-8?Q?=C3=BC?=  x\nComments:y\n\nbody\n")
    assert b"Subject: =?utf-8?Q?=C3=BC?=  x\r\nComments:y\r\n" in messages[0]["content"]


@pytest.mark.parametrize("value, names", [
    ("Jürgen Groß <a@example.net>", ["Jürgen Groß"]),
    ("\"Groß, Jürgen \\\"J\\\"\" <a@example.net>, Bob <b@example.net>,\n  Ängström <root>", ["Groß, Jürgen \"J\"", "Bob", "Ängström"]),
    ("Groß:Ä <a@example.net>,b@example.net;,c@example.net", ["Ä", "", ""]),
    ("root, Ä <a@example.net>, admin", ["", "Ä", ""]),
    ("日本語" * 30 + " <a@example.net>", ["日本語" * 30]),
])
def test_names_too(tmp_path, value, names):
    done, messages = sent(tmp_path, f"To: {value}\nReply-To: Ü <a@example.org>\n\nbody\n".encode())
    assert (done.returncode, done.stderr) == (0, b"")
    head = messages[0]["content"].split(b"\r\n\r\n")[0]
    assert head.isascii() and all(len(line) <= 76 for line in head.split(b"\r\n") if b"=?" in line)
    message = email.message_from_bytes(messages[0]["content"], policy=email.policy.SMTP)
    got = [a.display_name for a in message["To"].addresses]
    # Python puts a space between two encoded-words of a name, where RFC 2047 6.2 has none.
    assert (got == names or [g.replace(" ", "") for g in got] == names) and message["Reply-To"].addresses[0].display_name == "Ü"
    assert all(a.domain in ("example.net", "example.org") for a in message["To"].addresses)


@pytest.mark.parametrize("value", ["ü@example.net", "Ü <ü@example.net>", "Ü (Ä) <a@example.net>"])
def test_what_only_smtputf8_can_carry(tmp_path, value):
    done, messages = sent(tmp_path, f"To: {value}\n\nbody\n".encode())
    assert done.returncode == 65 and not messages
    done, messages = sent(tmp_path, f"To: {value}\n\nbody\n".encode(), ["8BITMIME", "SMTPUTF8"])
    assert done.returncode == 0 and "SMTPUTF8" in messages[0]["mail"]
    assert value[-13:].encode() in messages[0]["content"] or b"(J\xc3\xbcrgen)" in messages[0]["content"]


def test_what_needs_smtputf8_anyhow_stays(tmp_path):
    text = "To: Бобер <бобер@example.net>\nSubject: привет\n\nbody\n".encode()
    done, messages = sent(tmp_path, text, ["8BITMIME", "SMTPUTF8"])
    assert done.returncode == 0 and text.split(b"\n")[0] in messages[0]["content"] and "Subject: привет".encode() in messages[0]["content"]
