"""What a server says in the middle of the content is heard, with TLS too. RFC 5321 4.2.1. cli-3."""

import time

import pytest

from postern_server import make_certificate
from scripted_server import ScriptedServer, submit

MESSAGE = b"Subject: x\n\n" + (b"y" * 70 + b"\n") * 150000


class Refuser(ScriptedServer):
    """Takes some octets of the content, says its words, and hangs up with the rest unread."""

    def __init__(self, words, **more):
        super().__init__(**more)
        self.words = words

    def _talk(self, lines, say, heard):
        say(b"220 here\r\n")
        for line in lines:
            verb = line.split()[0]
            heard.append(verb.decode())
            say(b"250-here\r\n250 AUTH PLAIN\r\n" if verb == b"EHLO" else b"354 go\r\n" if verb == b"DATA" else b"250 ok\r\n")
            if verb == b"DATA":
                lines.read(20000)
                say(self.words)
                time.sleep(0.1)
                return


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"), "localhost")


@pytest.mark.parametrize("words, status", [(b"552 5.3.4 too much\r\n", 65), (b"554 5.7.1 no such mail\r\n", 77), (b"451 4.3.0 in a moment\r\n", 75),
                                           (b"421 4.3.2 closing\r\n", 75), (b"250 2.0.0 taken\r\n", 75), (b"", 75)])
@pytest.mark.parametrize("secure", [True, False], ids=["TLS", "clear"])
def test_words(tmp_path, tls, words, status, secure):
    with Refuser(words, tls=tls if secure else None) as server:
        done = submit(tmp_path, server, "a@example.net", account="password = secret", input=MESSAGE)
    assert done.returncode == status, done
    if status != 75 or words[:1] == b"4":
        assert words.strip() in done.stderr, done


def test_at_the_pipe(tmp_path, tls):
    with Refuser(b"552 5.3.4 too much\r\n", tls=tls) as server:
        talk = b"EHLO x\r\nMAIL FROM:<alice@example.org>\r\nRCPT TO:<a@example.net>\r\nDATA\r\nFrom: alice@example.org\r\n" + MESSAGE.replace(b"\n", b"\r\n")
        done = submit(tmp_path, server, "-bs", account="password = secret", input=talk + b".\r\nQUIT\r\n")
    assert b"\r\n552 5.3.4 too much\r\n" in done.stdout, done.stdout
