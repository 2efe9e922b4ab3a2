"""SIGKILL to every process in turn, at random moments, under load: what was acknowledged must arrive (5321-47, 5321-26)."""
import os
import random
import threading
import time

from postern_server import postern
from honest import Load, kill
from kept import kept_log
from sink import Sink

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "15"))
SEED = int(os.environ.get("CRASH_SEED", "0")) or random.randrange(1, 1 << 30)
VICTIMS = ("front", "signer", "auth", "spool", "relay", "history", "master")
CONFIG = """
relay = "smtp://127.0.0.1:{port}"
retry-first = "1 s"
retry-max = "2 s"
segment-size = "1 MiB"
"""


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


def test_what_was_acknowledged_arrives(make_server, record_property):
    random.seed(SEED)
    sink = Sink()
    server = make_server(config=CONFIG.format(port=sink.port)).start()
    with kept_log(server, "kill"):
        killed_in_turn(server, sink, record_property)


def killed_in_turn(server, sink, record_property):
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
    assert operator.ask("release").returncode in (0, 66)        # 66: nothing is held any more
    missing = load.missing(sink)
    duplicates = sum(n - 1 for n in sink.taken.values())
    words = (f"seed {SEED}, {ROUNDS * len(VICTIMS)} kills, {len(load.acknowledged)} acknowledged, {len(missing)} missing, "
             f"{duplicates} duplicates, {operator.done['hold']} held, {operator.done['release']} released")
    print(words)
    record_property("kills", words)
    assert len(load.acknowledged) > ROUNDS * 5, f"hardly any load: {words}"
    assert operator.done["hold"] and operator.done["release"], f"nothing was ever held: {words}"
    assert not missing, f"acknowledged and missing: {sorted(missing)[:10]} ({words})"
    assert not set(sink.taken) - load.unsure, "the sink got what nobody sent"
    assert not load.permanent, f"a crash is no reason for a permanent refusal: {load.permanent[:5]}"
    assert server.stop() == 0
