"""honest - clients that submit numbered messages whatever happens to the server, and remember what they were told."""
import collections
import itertools
import os
import random
import signal
import smtplib
import socket
import threading
import time

FROM, TO = "a@mail.example.org", "b@example.net"
LINE = "abcdefghijklmnopqrstuvwxyz" * 2 + "\r\n"


def words_of(error):
    """What the server said behind the code: it tells one reason from another."""
    said = getattr(error, "smtp_error", b"")
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        said = next(iter(error.recipients.values()))[1]
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


class Client(smtplib.SMTP_SSL):
    """Connects to loopback whatever the name, and verifies the name; comes from a network where no attacker is."""

    def _get_socket(self, host, port, timeout):
        tcp = socket.create_connection(("127.0.0.1", port), timeout, source_address=("127.200.1.1", 0))
        return self.context.wrap_socket(tcp, server_hostname=host)

    def data(self, content):
        """reply: what was said to the last message."""
        self.reply = super().data(content)
        return self.reply


class Load:
    """Submits for as long as it is let. A message that fails is tried again on a new connection until it is acknowledged.

    acknowledged, unsure   numbers: those that got their 250, those that were ever tried
    failures               what went wrong, in words, and how often
    permanent              replies that say "never": no crash of ours may bring one
    worst                  the longest time, in seconds, from a message's first failure to its acknowledgement
    """

    def __init__(self, server, clients=6, pause=0.0):
        self.server, self.running, self.pause = server, True, pause
        self.numbers = itertools.count()
        self.acknowledged, self.unsure = set(), set()
        self.failures, self.permanent, self.worst = collections.Counter(), [], 0.0
        self.lock = threading.Lock()
        self.context = server.context()
        self.threads = [threading.Thread(target=self.submit, args=(n,), daemon=True) for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def message(self, number):
        # Every fifth is larger than what a record holds inline, so that chunks and extents take part.
        size = 150_000 if random.random() < 0.2 else 2000
        return (f"From: <{FROM}>\r\nTo: <{TO}>\r\nSubject: {number}\r\nX-Number: {number}\r\n\r\n" + LINE * (size // len(LINE) + 1)).encode()

    def connect(self):
        smtp = Client(self.server.hostname, self.server.submissions, context=self.context, timeout=20, local_hostname="client.example.org")
        try:
            # Not login(): at a "not now" it would go on to the next mechanism, and tell only what became of the last one.
            smtp.user, smtp.password = self.server.login, self.server.key
            smtp.ehlo_or_helo_if_needed()
            smtp.auth("PLAIN", smtp.auth_plain)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def note(self, error):
        code = getattr(error, "smtp_code", 0)
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            code = max(reply[0] for reply in error.recipients.values())
        with self.lock:
            self.failures[f"{type(error).__name__} {code} {words_of(error)}" if code > 0 else type(error).__name__] += 1
            if code >= 500 or isinstance(error, smtplib.SMTPNotSupportedError):
                self.permanent.append(repr(error))

    def hand_over(self, smtp, number, content):
        smtp.sendmail(FROM, [TO], content)

    def deliver(self, number, smtp):
        """Until it is acknowledged or we are to stop; the connection that is open then, or None."""
        content, failed = self.message(number), None
        self.unsure.add(number)
        while self.running:
            try:
                smtp = smtp or self.connect()
                self.hand_over(smtp, number, content)
            except (OSError, smtplib.SMTPException) as error:
                self.note(error)
                if smtp is not None:
                    smtp.close()
                smtp, failed = None, failed or time.monotonic()
                time.sleep(0.05)
                continue
            with self.lock:
                self.acknowledged.add(number)
                if failed is not None:
                    self.worst = max(self.worst, time.monotonic() - failed)
            return smtp
        return smtp

    def submit(self, client):
        smtp = None
        while self.running:
            smtp = self.deliver(f"{client}-{next(self.numbers)}", smtp)
            time.sleep(self.pause)
        if smtp is not None:
            smtp.close()

    def begun(self, patience=30):
        """Every client has been served once: from here on the server knows this network."""
        end = time.monotonic() + patience
        while len(self.acknowledged) < len(self.threads) and time.monotonic() < end:
            time.sleep(0.05)
        return self

    def stop(self):
        self.running = False
        for thread in self.threads:
            thread.join(30)

    def missing(self, sink, patience=60):
        """What was acknowledged and has not arrived. Long kills leave a long queue: waits as long as something arrives."""
        missing, moved = self.acknowledged - set(sink.taken), time.monotonic()
        while missing and time.monotonic() < moved + patience:
            time.sleep(0.2)
            left = self.acknowledged - set(sink.taken)
            if len(left) < len(missing):
                moved = time.monotonic()
            missing = left
        return missing


def kill(server, victim):
    """SIGKILL to one process of this role; the master is started anew by whoever runs the server."""
    if victim == "master":
        server.process.kill()
        server.process.wait()
        server.start()
        return
    pids = [pid for name, pid in server.children().items() if name.startswith(victim)]
    if pids:
        try:
            os.kill(random.choice(pids), signal.SIGKILL)
        except ProcessLookupError:
            pass        # it was between two lives
