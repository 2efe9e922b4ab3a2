"""Ten thousand messages through a server built with AddressSanitizer and LeakSanitizer: no process has anything to report.

POSTERN_SANITIZED is that build's binary (tools/check sets it); without it there is nothing to test here.
"""
import os
import random
import re
import smtplib
import socket
import threading

import pytest

import postern_server
from postern_server import Server, eventually
from letters import LOGIN, SENDER, STRANGER, letter

SANITIZED = os.environ.get("POSTERN_SANITIZED")
MESSAGES, CLIENTS, EACH = 10_000, 4, 100
REPORT = re.compile(r"^.*(?:Sanitizer|runtime error:|Assertion).*$", re.M)
# A line from every process that has come to the leak check and so can have reported.
OPTIONS = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99:atexit=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
AT_EXIT = "AddressSanitizer exit stats"

pytestmark = pytest.mark.skipif(not SANITIZED, reason="POSTERN_SANITIZED names no build with sanitizers")


class Load:
    """Clients that submit, each connection EACH messages, and between them do what clients do wrong."""

    def __init__(self, server):
        self.server, self.left, self.lock, self.errors = server, MESSAGES, threading.Lock(), []
        self.accepted = 0

    def take(self):
        with self.lock:
            self.left -= 1
            return self.left >= 0

    def connect(self, dice):
        context = self.server.context()
        if dice.random() < 0.5:
            return smtplib.SMTP_SSL(self.server.host, self.server.submissions, timeout=30, context=context)
        smtp = smtplib.SMTP(self.server.host, self.server.submission, timeout=30)
        smtp.starttls(context=context)
        return smtp

    def misbehave(self, smtp, dice):
        """Ends badly, but leaves the session fit for the next message."""
        wrong = dice.choice(["sender", "author", "reset", "syntax", "nothing"])
        if wrong == "sender":
            assert smtp.mail(STRANGER)[0] == 550
        elif wrong == "author":
            with pytest.raises(smtplib.SMTPDataError):
                smtp.sendmail(SENDER, ["bob@example.net"], letter(author=STRANGER).content)
        elif wrong == "reset":
            smtp.mail(SENDER)
            smtp.rcpt("bob@example.net")
            assert smtp.rset()[0] == 250
        elif wrong == "syntax":
            assert smtp.docmd("MAIL", "FROM:alice")[0] == 501

    def vanish(self, smtp):
        """In the midst of a message."""
        smtp.mail(SENDER)
        smtp.rcpt("bob@example.net")
        smtp.docmd("DATA")
        smtp.send(b"From: alice@example.org\r\n\r\nhal")
        smtp.sock.shutdown(socket.SHUT_RDWR)
        smtp.close()

    def session(self, dice):
        smtp = self.connect(dice)
        smtp.user, smtp.password = LOGIN, self.server.key
        smtp.ehlo()
        smtp.auth("PLAIN", smtp.auth_plain)
        for _ in range(EACH):
            if not self.take():
                break
            rcpts = [f"reader{n}@example.net" for n in range(dice.choice([1, 1, 1, 3]))]
            smtp.sendmail(SENDER, rcpts, letter(b"x" * dice.randrange(900) + b"\r\n").content)
            with self.lock:
                self.accepted += 1
            if dice.random() < 0.02:
                self.misbehave(smtp, dice)
        if dice.random() < 0.1:
            self.vanish(smtp)
        else:
            smtp.quit()

    def client(self, number):
        dice = random.Random(number)
        try:
            while self.left > 0:
                self.session(dice)
        except Exception as error:  # noqa: BLE001: whatever it is, the test must tell
            self.errors.append(repr(error))

    def run(self):
        threads = [threading.Thread(target=self.client, args=(n,)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert self.errors == []


@pytest.fixture
def sanitized(tmp_path, monkeypatch):
    monkeypatch.setattr(postern_server, "POSTERN", SANITIZED)
    one = Server(tmp_path, env=OPTIONS).start()
    yield one
    if one.process.poll() is None:
        one.process.kill()
        one.process.wait()


def test_nothing_leaks(sanitized):
    sanitized.add_key(LOGIN, SENDER)
    processes = 1 + len(sanitized.children())
    load = Load(sanitized)
    load.run()
    assert load.accepted == MESSAGES
    eventually(lambda: len(list((sanitized.maildir / "new").iterdir())) == MESSAGES, "every message's arrival")
    assert sanitized.events("child-ended") == []
    status = sanitized.stop()
    log = sanitized.log.read_text(errors="replace")
    reports = [line for line in REPORT.findall(log) if AT_EXIT not in line]
    assert reports == [], "\n".join(reports[:20])
    assert log.count(AT_EXIT) == processes
    assert status == 0
