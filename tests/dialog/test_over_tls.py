"""The conversations of this folder over a real socket against a running server.

Environment: POSTERN_TEST_SUBMISSIONS and POSTERN_TEST_SUBMISSION name HOST:PORT (or PORT on 127.0.0.1) of the two listeners,
POSTERN_TEST_CA the file with the CA that signed the server's certificate, POSTERN_TEST_NAME the name in it (localhost).
The server must know the login alice with the password "secret", let it send as alice@example.org and as nobody else,
and take mail for anybody. Without the variables conftest.py starts one that does.

Each conversation is played twice: groups in one piece, and groups cut into small TLS records when it is not too long for that.
README.md has the format; what needs a fake (`only pure`, limits, injected failures) is left to run_dialog.
"""
import os
import pathlib
import re
import socket
import ssl

import pytest

FOLDER = pathlib.Path(__file__).resolve().parent
LISTENERS = {"submissions": "POSTERN_TEST_SUBMISSIONS", "submission": "POSTERN_TEST_SUBMISSION"}
NEEDS_FAKE = {"only pure", "listener clear", "listener local"}
NEEDS_FAKE_WORDS = {"size", "rcpts", "mechanisms", "deny-rcpt", "deny-author", "answer", "no-memory", "hold", "by-least",
                    "priority-least", "priority-most", "priority-size", "no-terms"}
ESCAPES = {"r": b"\r", "n": b"\n", "0": b"\0", "t": b"\t", "\\": b"\\", "*": b"*", "/": b"/"}
TOKEN = re.compile(r"\\\*(\d+)\{(.*?)\}|\\x([0-9a-fA-F]{2})|\\(.)|([^\\]+)", re.S)
PATIENCE = 20


def octets(text):
    """The octets that a C line means."""
    out = b""
    for times, repeated, code, escape, plain in TOKEN.findall(text):
        if times:
            out += octets(repeated) * int(times)
        elif code:
            out += bytes([int(code, 16)])
        elif escape:
            out += ESCAPES[escape]
        else:
            out += plain.encode("utf-8")
    return out


def pattern(text):
    """A regular expression for the octets of one reply line."""
    out = b""
    for part in re.split(r"((?<!\\)\*)", text):
        out += b".*" if part == "*" else re.escape(octets(part))
    return re.compile(out, re.S)


class Talk:
    """One connection, its unread replies, and what is to be said next."""

    def __init__(self, listener, piece):
        place = os.environ[LISTENERS[listener]]
        host, _, port = place.rpartition(":")
        self.listener, self.piece = listener, piece
        self.sock = socket.create_connection((host.strip("[]") or "127.0.0.1", int(port)), timeout=PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.group, self.replies, self.last, self.greeted = b"", b"", [], False
        if listener == "submissions":
            self.secure()

    def secure(self):
        context = ssl.create_default_context(cafile=os.environ["POSTERN_TEST_CA"])
        name = os.environ.get("POSTERN_TEST_NAME", "localhost")
        self.sock = context.wrap_socket(self.sock, server_hostname=name)

    def send(self):
        group, self.group = self.group, b""
        # STARTTLS and what is behind it must share a segment, or there is nothing to inject.
        piece = max(self.piece or len(group), 1) if b"STARTTLS" not in group else len(group)
        try:
            for at in range(0, len(group), max(piece, 1)):
                self.sock.sendall(group[at:at + piece])
        except OSError:
            pass  # the server may hang up before it has read all; what it said is still there to be read

    def line(self):
        while b"\r\n" not in self.replies:
            try:
                got = self.sock.recv(65536)
            except (ConnectionError, ssl.SSLError):
                got = b""
            assert got, f"the server hung up after {self.replies!r}"
            self.replies += got
        line, self.replies = self.replies.split(b"\r\n", 1)
        return line

    def expect(self, text):
        self.send()
        many, _, one = text.rpartition(" / ")
        self.last = []
        while True:
            line = self.line()
            self.last.append(line)
            if many and pattern(many).fullmatch(line):
                continue
            assert pattern(one).fullmatch(line), f"expected {text}, got {line!r}"
            return

    def has(self, text):
        return any(pattern(text).fullmatch(line[4:]) for line in self.last)

    def log_in(self):
        if not self.greeted:
            self.expect("220 *")
        if self.listener == "submission":
            self.say("EHLO laptop", "250-* / 250 *")
            self.say("STARTTLS", "220 *")
            self.secure()
        self.say("EHLO laptop", "250-* / 250 *")
        self.say("AUTH PLAIN AGFsaWNlAHNlY3JldA==", "235 2.7.0 *")

    def say(self, text, answer):
        self.group += text.encode() + b"\r\n"
        self.expect(answer)

    def expect_close(self):
        self.send()
        try:
            assert not self.replies and not self.sock.recv(1), "still open"
        except (ConnectionError, ssl.SSLError):
            pass

    def expect_nothing_more(self):
        """What came with the last answer is all there is."""
        assert not self.replies, f"a reply that nobody expected: {self.replies!r}"


def settings(lines):
    return [line for line in lines if line.split(" ")[0] in {"listener", *NEEDS_FAKE_WORDS} or line in NEEDS_FAKE]


def play_line(talk, line):
    word, _, rest = line.partition(" ")
    if word == "C":
        talk.group += octets(rest) + b"\r\n"
    elif word == "c":
        talk.group += octets(rest)
    elif word == "S":
        talk.expect(rest)
        talk.greeted = True
    elif word in ("has", "lacks"):
        assert talk.has(rest) == (word == "has"), f"{line}: {talk.last!r}"
    elif word == "login":
        talk.log_in()
    elif word == "tls":
        talk.secure()
    elif word == "split":
        talk.send()
    elif line == "want close":
        talk.expect_close()
    elif word == "want":
        talk.send()


def conversations():
    """(its lines, the listener, the size of its pieces) of each that needs no fake."""
    for path in sorted([*FOLDER.glob("*.smtp"), *FOLDER.parent.glob("regress/*/*.smtp")]):
        lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line and not line.startswith("#")]
        found = settings(lines)
        if any(line in NEEDS_FAKE or line.split(" ")[0] in NEEDS_FAKE_WORDS for line in found):
            continue
        listener = next((line.split(" ")[1] for line in found if line.startswith("listener ")), "submissions")
        yield pytest.param(lines, listener, 0, id=path.stem + "-whole")
        if path.stat().st_size + sum(len(octets(line)) for line in lines) <= 40000:
            yield pytest.param(lines, listener, 5, id=path.stem + "-pieces")


@pytest.mark.parametrize("lines, listener, piece", conversations())
def test_conversation(lines, listener, piece):
    talk = Talk(listener, piece)
    try:
        for line in lines:
            play_line(talk, line)
        talk.expect_nothing_more()
    finally:
        talk.sock.close()
