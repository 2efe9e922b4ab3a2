"""sendmail -bs encodes what may not be sent as it is. RFC 5322 2.1.1; RFC 6152 3; RFC 2045 6; RFC 6376 5.3. 6152-2."""

import email
import email.policy

import pytest

from scripted_server import ScriptedServer, submit

HEAD = b"From: alice@example.org\r\nTo: b@example.net\r\n"
MIME = b"MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"


def envelope(content, mail=b""):
    return (b"MAIL FROM:<alice@example.org>" + mail + b"\r\nRCPT TO:<b@example.net>\r\nDATA\r\n" + content + b"\r\n.\r\n")


def at_the_pipe(tmp_path, offers, *talk):
    with ScriptedServer(offers=offers) as server:
        done = submit(tmp_path, server, "-bs", input=b"EHLO here\r\n" + b"".join(talk) + b"QUIT\r\n")
    replies = [line for line in done.stdout.decode().splitlines() if line[3:4] != "-"]
    assert done.returncode == 0 and replies[-1].startswith("221 "), replies
    for mail in server.messages:
        assert all(len(line) <= 998 and b"\0" not in line for line in mail["content"].split(b"\r\n")), mail
    return replies[2:-1], server, done.stderr.decode()


def read(mail):
    return email.message_from_bytes(mail["content"], policy=email.policy.SMTP)


@pytest.mark.parametrize("offers", [["8BITMIME", "SIZE"], []], ids=["8BITMIME", "seven bits"])
@pytest.mark.parametrize("text", ["<p>" + "Grüße und mehr " * 300, "x" * 999, "Viele Grüße", "one\r\ntwo " + "é" * 600000],
                         ids=["HTML", "a little", "umlauts", "a megabyte"])
def test_the_same_content_arrives(tmp_path, offers, text):
    replies, server, _ = at_the_pipe(tmp_path, offers, envelope(HEAD + MIME + b"\r\n" + text.encode()))
    assert replies[-1].startswith("250 "), replies
    message = read(server.messages[0])
    assert message.get_content().splitlines() == text.splitlines()
    assert offers or server.messages[0]["content"].isascii()


def test_nul_octets(tmp_path):
    replies, server, _ = at_the_pipe(tmp_path, ["8BITMIME"], envelope(HEAD + b"\r\none\0two\r\nthree"))
    assert replies[-1].startswith("250 "), replies
    assert read(server.messages[0]).get_payload(decode=True).rstrip() == b"one\0two\r\nthree"


def test_in_chunks(tmp_path):
    content = HEAD + b"\r\n" + b"word " * 1000 + b"\r\n"
    chunks = [content[i:i + 700] for i in range(0, len(content), 700)]
    talk = b"MAIL FROM:<alice@example.org>\r\nRCPT TO:<b@example.net>\r\n" + b"".join(
        b"BDAT %d%s\r\n%s" % (len(c), b" LAST" if c is chunks[-1] else b"", c) for c in chunks)
    replies, server, _ = at_the_pipe(tmp_path, ["8BITMIME"], talk)
    assert replies[-1].startswith("250 "), replies
    assert read(server.messages[0]).get_payload(decode=True).rstrip() == b"word " * 999 + b"word"


def test_what_is_fit_is_left_alone(tmp_path):
    body = "Grüße\r\n.dot\r\n".encode() + b"x" * 998
    _, server, _ = at_the_pipe(tmp_path, ["8BITMIME"], envelope(HEAD + MIME + b"\r\n" + body.replace(b"\n.", b"\n..")))
    assert server.messages[0]["content"].endswith(b"\r\n\r\n" + body + b"\r\n")


@pytest.mark.parametrize("offers, content, words", [
    (["8BITMIME"], HEAD + b"DKIM-Signature: v=1\r\n\r\n" + b"x" * 999, ["line 5", "998", "DKIM-Signature"]),
    ([], HEAD + b"DKIM-Signature: v=1\r\n\r\n" + "Grüße".encode(), ["8BITMIME", "DKIM-Signature"]),
    (["8BITMIME"], HEAD + b"Content-Type: multipart/signed; boundary=cut\r\nMIME-Version: 1.0\r\n\r\n--cut\r\n\r\na\0b\r\n--cut--", ["line 8", "NUL", "signed"]),
], ids=["DKIM and a long line", "DKIM and umlauts", "signed"])
def test_what_cannot_be_encoded_and_the_next_one(tmp_path, offers, content, words):
    replies, server, told = at_the_pipe(tmp_path, offers, envelope(content), envelope(HEAD + b"\r\nhello"))
    assert replies[3].startswith("554 5.6.3 ") and all(w in replies[3] for w in words), replies
    assert all(w in told for w in words), told
    assert replies[-1].startswith("250 ") and len(server.messages) == 1, replies


@pytest.mark.parametrize("content, words", [(HEAD + b"X: " + b"x" * 1000 + b"\r\n\r\nx", "998"), (HEAD + b"X: a\0b\r\n\r\nx", "NUL"),
                                            (HEAD + b"\r\na\nb", "bare LF"), (HEAD + b"\r\na\rb", "bare CR")],
                         ids=["header line", "NUL in the header", "LF", "CR"])
def test_what_nobody_could_mend(tmp_path, content, words):
    replies, server, _ = at_the_pipe(tmp_path, ["8BITMIME"], envelope(content))
    assert replies[-1].startswith("5") and words in replies[-1] and not server.messages, replies
