"""What cron, PHP and shell scripts say to sendmail. cli-1, cli-2, cli-3; RFC 5322 3.6; RFC 3629 6."""

import pytest

from scripted_server import ScriptedServer, submit


def sent(tmp_path, arguments, message):
    with ScriptedServer(offers=["8BITMIME"]) as server:
        done = submit(tmp_path, server, *arguments, input=message)
    assert (done.returncode, done.stderr) == (0, b""), done
    head, body = server.messages[0]["content"].split(b"\r\n\r\n", 1)
    return server.messages[0], b"\r\n" + head + b"\r\n", body


def refused(tmp_path, arguments, message):
    with ScriptedServer(offers=["8BITMIME"]) as server:
        done = submit(tmp_path, server, *arguments, input=message)
    assert not server.messages
    return done.returncode, done.stderr.decode()


def test_cron(tmp_path):
    """cronie's and Debian's."""
    mail, head, _ = sent(tmp_path, ["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root"],
                         b"From: \"(Cron Daemon)\" <root>\nTo: root\nSubject: Cron <root@host> x\nAuto-Submitted: auto-generated\n\nx\n")
    assert (mail["from"], mail["rcpt"]) == ("root@example.org", ["root@example.org"])
    assert b'From: "(Cron Daemon)" <root@example.org>\r\n' in head
    mail, _, _ = sent(tmp_path, ["-i", "-FCronDaemon", "-B8BITMIME", "-oem", "root"], b"From: root (Cron Daemon)\nTo: root\n\nx\n")
    assert (mail["from"], mail["rcpt"]) == ("alice@example.org", ["root@example.org"])


@pytest.mark.parametrize("sender", ["bob@example.net", "<bob@example.net>", "Bob <bob@example.net>", "\"B. B.\" <bob@example.net>"])
def test_senders(tmp_path, sender):
    mail, head, _ = sent(tmp_path, ["-f", sender, "a@example.net"], b"Subject: x\n\nx\n")
    assert mail["from"] == "bob@example.net" and b"\r\nFrom: <bob@example.net>\r\n" in head


@pytest.mark.parametrize("sender", ["bob@@example.net", "a@example.net, b@example.net", "Bob <>", "a b"])
def test_what_is_no_sender(tmp_path, sender):
    status, said = refused(tmp_path, ["-f", sender, "a@example.net"], b"x\n")
    assert status == 64 and sender in said


@pytest.mark.parametrize("text", [b"Error: disk full\nplease look\n", b"Error: disk full\n", b"Warning: a\n b\nc: d\n", b"http://example.org/ is down",
                                  b"Error: 1\nDetails: 2\nno colon here\n\nmore\n.x\n", b"12:00 backup\n12:05 done\n", "Füllstand: 90\n".encode()])
def test_text_that_looks_like_a_header(tmp_path, text):
    _, head, body = sent(tmp_path, ["-i", "a@example.net"], text)
    assert body == text.rstrip(b"\n").replace(b"\n", b"\r\n") + b"\r\n"
    assert b"Error" not in head and b"\r\nFrom: <alice@example.org>\r\n" in head


@pytest.mark.parametrize("text", [b"Subject: x\nno field\nBcc: s@example.net\n\nx\n", b"X-Job: x\nno field\n\nx\n", b"Error: x\nTo: b@example.net\nno field\n"])
def test_a_header_that_is_malformed(tmp_path, text):
    status, said = refused(tmp_path, ["-i", "a@example.net"], text)
    assert status == 65 and "empty line" in said


def test_fields_nobody_knows(tmp_path):
    _, head, body = sent(tmp_path, ["-i", "a@example.net"], b"Foo: x\n\nbody\n")
    assert b"\r\nFoo: x\r\n" in head and body == b"body\r\n"
    _, head, body = sent(tmp_path, ["-i", "a@example.net"], b"Subject: x\nFoo: y")
    assert b"\r\nSubject: x\r\nFoo: y\r\n" in head and body == b""


def test_byte_order_mark(tmp_path):
    mail, head, body = sent(tmp_path, ["-t"], b"\xef\xbb\xbfTo: a@example.net\nBcc: b@example.net\n\n\xef\xbb\xbfx\n")
    assert mail["rcpt"] == ["a@example.net", "b@example.net"] and b"Bcc" not in head and b"\xef" not in head
    assert body == b"\xef\xbb\xbfx\r\n"
    _, _, body = sent(tmp_path, ["a@example.net"], b"\xef\xbb\xbfjust text\n")
    assert body == b"\xef\xbb\xbfjust text\r\n"


def test_options_behind_recipients(tmp_path):
    status, said = refused(tmp_path, ["a@example.net", "-t"], b"To: b@example.net\n\nx\n")
    assert status == 64 and "-t" in said and "--" in said
    mail, _, _ = sent(tmp_path, ["-i", "--", "a@example.net", "-b@example.net"], b"x\n")
    assert mail["rcpt"] == ["a@example.net", "-b@example.net"]
