"""Long lines and NUL octets of programs that cannot help it. RFC 5322 2.1.1, 2.2.3; RFC 2045 6; RFC 1847 2.1; RFC 6376 5.3."""

import base64
import email
import email.policy

import pytest

from scripted_server import ScriptedServer, submit

LONG = "<p>" + "a word=éß and some more of them " * 300 + "</p>"
HEAD = b"From: alice@example.org\nTo: b@example.net\nDate: Sun, 22 Nov 2026 10:00:00 +0000\nMessage-ID: <1@example.org>\n"
SIGNATURE = b"DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=x; h=from; bh=AA==; b=AA==\n"


def handed_over(tmp_path, message):
    with ScriptedServer(offers=["8BITMIME"]) as server:
        done = submit(tmp_path, server, "-i", "b@example.net", input=message)
    assert (done.returncode, done.stderr) == (0, b""), done
    content = server.messages[0]["content"]
    assert content.endswith(b"\r\n") and all(len(line) <= 998 and b"\r" not in line and b"\0" not in line
                                            for line in content[:-2].split(b"\r\n"))
    return email.message_from_bytes(content, policy=email.policy.SMTP), server.messages[0]


def refused(tmp_path, message):
    with ScriptedServer(offers=["8BITMIME"]) as server:
        done = submit(tmp_path, server, "-i", "b@example.net", input=message)
    assert done.returncode == 65 and server.sessions == [], done
    return done.stderr.decode()


def test_html_in_one_line(tmp_path):
    head = HEAD + b"MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    message, _ = handed_over(tmp_path, head + LONG.encode() + b"\n")
    assert message["Content-Transfer-Encoding"] == "quoted-printable"
    assert message.get_content() .rstrip() == LONG


def test_one_part_of_several(tmp_path):
    head = HEAD + b"MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=cut\n\n--cut\n\nshort \xc3\xa9\n--cut\nContent-Type: text/html\n\n"
    message, envelope = handed_over(tmp_path, head + b"<p>" + b"x" * 5000 + b"\n--cut--\n")
    first, second = message.iter_parts()
    assert first["Content-Transfer-Encoding"] is None and b"short \xc3\xa9\r\n" in envelope["content"]
    assert second.get_content() == "<p>" + "x" * 5000
    assert "BODY=8BITMIME" in envelope["mail"]


@pytest.mark.parametrize("text", [b"x" * 999 + b"\n", b"x" * 3000000, b"one\0two\nthree\n", b"\0", b"10%\r" + b"y" * 1500 + b"\n",
                                  b"\xff\xfe" * 3000],
                         ids=["a little", "megabytes", "NUL", "nothing else", "CR alone", "no text"])
def test_text_without_any_header(tmp_path, text):
    message, _ = handed_over(tmp_path, text)
    want = text.replace(b"\r", b"\n")
    assert message["From"] == "alice@example.org" and message["MIME-Version"] == "1.0"
    assert message.get_payload(decode=True).replace(b"\r\n", b"\n").rstrip(b"\n") == want.rstrip(b"\n")


def test_base64_that_was_never_broken(tmp_path):
    attached = bytes(range(256)) * 40
    head = HEAD + b"MIME-Version: 1.0\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: BASE64\n\n"
    message, envelope = handed_over(tmp_path, head + base64.b64encode(attached) + b"\n")
    assert message.get_payload(decode=True) == attached
    assert all(len(line) <= 76 for line in envelope["content"].split(b"\r\n\r\n", 1)[1].split(b"\r\n"))


def test_header_lines_are_folded(tmp_path):
    names = ", ".join(f"user{i}@example.net" for i in range(200))
    message, _ = handed_over(tmp_path, HEAD.replace(b"b@example.net", names.encode()) + b"Subject: " + b"word " * 500 + b"\n\nbody\n")
    assert message["To"] == names and message["Subject"].split() == ["word"] * 500


@pytest.mark.parametrize("message, words", [
    (HEAD + SIGNATURE + b"\n" + b"x" * 1000, ["line 7", "998", "DKIM-Signature"]),
    (HEAD + SIGNATURE + b"Subject: " + b"word " * 500 + b"\n\nx\n", ["line 6", "998", "DKIM-Signature"]),
    (HEAD + b"MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=cut\n\n--cut\n\n" + b"x" * 1000 + b"\n--cut--\n", ["line 10", "998", "signed"]),
    (HEAD + b"MIME-Version: 1.0\nContent-Type: application/x; charset=x\nContent-Transfer-Encoding: base64\n\n" + b"?" * 1000 + b"\n", ["998", "encoded"]),
    (HEAD + b"X-Y: " + b"x" * 1000 + b"\n\nx\n", ["line 5", "998", "fold"]),
    (HEAD + b"X-Y: a\0b\n\nx\n", ["line 5", "NUL"]),
], ids=["DKIM", "DKIM and a header line", "signed", "not base64", "one word", "NUL in the header"])
def test_what_cannot_be_helped_is_named(tmp_path, message, words):
    said = refused(tmp_path, message)
    assert all(word in said for word in words), said
