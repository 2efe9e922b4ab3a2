"""SIGKILL to every process in turn, at random moments, under load: what was acknowledged must arrive (5321-47, 5321-26)."""
import itertools
import os
import pathlib
import random
import signal
import smtplib
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from postern_server import postern  # noqa: E402
from sink import Sink  # noqa: E402

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "15"))
SEED = int(os.environ.get("CRASH_SEED", "0")) or random.randrange(1, 1 << 30)
CLIENTS = 6
VICTIMS = ("front", "signer", "auth", "spool", "relay", "master")
CONFIG = """
relay = "smtp://127.0.0.1:{port}"
retry-first = "1 s"
retry-max = "2 s"
segment-size = "1 MiB"
"""


class Client(smtplib.SMTP_SSL):
    """Connects to loopback whatever the name, and verifies the name."""

    def _get_socket(self, host, port, timeout):
        return self.context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout), server_hostname=host)


class Load:
    """Clients that submit numbered messages for as long as they are let, and remember which were acknowledged."""

    def __init__(self, server):
        self.server, self.running = server, True
        self.numbers = itertools.count()
        self.acknowledged, self.unsure = set(), set()
        self.context = server.context()
        self.threads = [threading.Thread(target=self.submit, args=(n,), daemon=True) for n in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def message(self, number, size):
        line = "abcdefghijklmnopqrstuvwxyz" * 2 + "\r\n"
        return (f"From: <a@mail.example.org>\r\nTo: <b@example.net>\r\nSubject: {number}\r\nX-Number: {number}\r\n\r\n"
                + line * (size // len(line) + 1)).encode()

    def converse(self, client_number):
        with Client(self.server.hostname, self.server.submissions, context=self.context, timeout=20,
                    local_hostname="client.example.org") as smtp:
            smtp.login(self.server.login, self.server.key)
            while self.running:
                number = f"{client_number}-{next(self.numbers)}"
                self.unsure.add(number)
                # Every fifth is larger than what a record holds inline, so that chunks and extents take part.
                size = 150_000 if random.random() < 0.2 else 2000
                smtp.sendmail("a@mail.example.org", ["b@example.net"], self.message(number, size))
                self.acknowledged.add(number)

    def submit(self, client_number):
        while self.running:
            try:
                self.converse(client_number)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.05)

    def stop(self):
        self.running = False
        for thread in self.threads:
            thread.join(30)


class Operator(threading.Thread):
    """Holds and releases what waits, now and then; what is asked of a server that is being killed may fail."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.running, self.done = server, True, {"hold": 0, "release": 0}

    def ask(self, verb):
        done = postern("queue", verb, "--principal", self.server.login, *self.server.options)
        if done.returncode == 0:
            self.done[verb] += int(done.stdout.split()[-2])
        return done

    def run(self):
        while self.running:
            self.ask("hold")
            time.sleep(random.uniform(0, 0.3))
            self.ask("release")
            time.sleep(random.uniform(0, 0.3))


def kill(server, victim):
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


def test_what_was_acknowledged_arrives(make_server, record_property):
    random.seed(SEED)
    sink = Sink()
    server = make_server(config=CONFIG.format(port=sink.port)).start()
    server.add_key()
    load = Load(server)
    operator = Operator(server)
    operator.start()
    for _ in range(ROUNDS):
        for victim in random.sample(VICTIMS, len(VICTIMS)):
            time.sleep(random.uniform(0.05, 0.6))
            kill(server, victim)
    time.sleep(1)
    load.stop()
    operator.running = False
    operator.join(60)
    assert operator.ask("release").returncode == 0
    end = time.monotonic() + 60
    while load.acknowledged - set(sink.taken) and time.monotonic() < end:
        time.sleep(0.2)
    missing = load.acknowledged - set(sink.taken)
    duplicates = sum(n - 1 for n in sink.taken.values())
    words = (f"seed {SEED}, {ROUNDS * len(VICTIMS)} kills, {len(load.acknowledged)} acknowledged, {len(missing)} missing, "
             f"{duplicates} duplicates, {operator.done['hold']} held, {operator.done['release']} released")
    print(words)
    record_property("kills", words)
    assert len(load.acknowledged) > ROUNDS * 5, f"hardly any load: {words}"
    assert operator.done["hold"] and operator.done["release"], f"nothing was ever held: {words}"
    assert not missing, f"acknowledged and missing: {sorted(missing)[:10]} ({words})"
    assert not set(sink.taken) - load.unsure, "the sink got what nobody sent"
    assert server.stop() == 0
