"""SIGKILL to any process at random while strangers attack and honest clients submit: nothing acknowledged is lost (5321-47), and the
honest see at worst a dropped connection, after which a new one serves them within seconds.

CRASH_ROUNDS kills (make soak: 200); a few without it.
"""
import os
import pathlib
import random
import time

from attackers import Siege
from honest import Load, kill
from kept import kept_log
from postern_server import POSTERN
from sink import Sink

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "8"))
SEED = int(os.environ.get("CRASH_SEED", "0")) or random.randrange(1, 1 << 30)
VICTIMS = ("front", "front", "signer", "auth", "spool", "relay", "history", "master")
SECONDS = 20            # a new connection serves within; most of it is the master's back-off on a busy machine
BUILD = pathlib.Path(POSTERN).resolve().parent
# Dozens of messages a second of one login: what habit-watch is there to stop has tests of its own.
CONFIG = """
relay = "smtp://127.0.0.1:{port}"
habit-watch = no
retry-first = "1 s"
retry-max = "2 s"
segment-size = "1 MiB"
fronts = 2
"""
ATTACKS = {
    "garbage": ["connections=30", "rate=40", "octets=50000"],
    "half-open": ["connections=300", "rate=150", "addresses=200"],
    "guess": ["connections=30", "rate=15", "addresses=100"],
}


def test_killed_while_besieged(make_server, record_property, request):
    random.seed(SEED)
    sink = Sink()
    server = make_server(config=CONFIG.format(port=sink.port)).start()
    with kept_log(server, "siege"):
        killed_while_besieged(server, sink, record_property, request)


def killed_while_besieged(server, sink, record_property, request):
    server.add_key()
    login = f"{server.login}:{server.key}"
    load = Load(server, clients=4).begun()
    request.addfinalizer(load.stop)
    besieged = {name: Siege(BUILD, server, name, login, arguments, 60 + ROUNDS * 10) for name, arguments in ATTACKS.items()}
    for siege in besieged.values():
        request.addfinalizer(siege.end)
    for _ in range(ROUNDS):
        time.sleep(random.uniform(0.1, 1.0))
        kill(server, random.choice(VICTIMS))
    time.sleep(1)
    figures = {name: siege.stop() for name, siege in besieged.items()}
    time.sleep(1)
    load.stop()
    missing = load.missing(sink)
    words = (f"seed {SEED}, {ROUNDS} kills, {len(load.acknowledged)} acknowledged, {len(missing)} missing, "
             f"{sum(n - 1 for n in sink.taken.values())} duplicates; honest failures {dict(load.failures)}, worst {load.worst:.1f} s; "
             + ", ".join(f"{name} {f['opened']:.0f} connections" for name, f in figures.items()))
    print(words)
    record_property("siege", words)
    assert all(f["there"] > 0 for f in figures.values()), f"hardly any attack: {figures}"
    assert figures["guess"]["replies"] > 0, "nobody guessed"
    assert len(load.acknowledged) > ROUNDS * 2, f"hardly any load: {words}"
    assert not missing, f"acknowledged and missing: {sorted(missing)[:10]} ({words})"
    assert not set(sink.taken) - load.unsure, "the sink got what nobody sent"
    assert not load.permanent, f"the honest were refused for good: {load.permanent[:5]} ({words})"
    assert load.worst < SECONDS, words
    assert server.stop() == 0
