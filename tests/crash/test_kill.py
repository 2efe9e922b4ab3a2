"""SIGKILL to every process in turn, at random moments, under load: what was acknowledged must arrive (5321-47, 5321-26)."""
import os
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from honest import Load, kill  # noqa: E402
from sink import Sink  # noqa: E402

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "15"))
SEED = int(os.environ.get("CRASH_SEED", "0")) or random.randrange(1, 1 << 30)
VICTIMS = ("front", "signer", "auth", "spool", "relay", "master")
CONFIG = """
relay = "smtp://127.0.0.1:{port}"
retry-first = "1 s"
retry-max = "2 s"
segment-size = "1 MiB"
"""


def test_what_was_acknowledged_arrives(make_server, record_property):
    random.seed(SEED)
    sink = Sink()
    server = make_server(config=CONFIG.format(port=sink.port)).start()
    server.add_key()
    load = Load(server)
    for _ in range(ROUNDS):
        for victim in random.sample(VICTIMS, len(VICTIMS)):
            time.sleep(random.uniform(0.05, 0.6))
            kill(server, victim)
    time.sleep(1)
    load.stop()
    missing = load.missing(sink)
    duplicates = sum(n - 1 for n in sink.taken.values())
    words = (f"seed {SEED}, {ROUNDS * len(VICTIMS)} kills, {len(load.acknowledged)} acknowledged, {len(missing)} missing, "
             f"{duplicates} duplicates")
    print(words)
    record_property("kills", words)
    assert len(load.acknowledged) > ROUNDS * 5, f"hardly any load: {words}"
    assert not missing, f"acknowledged and missing: {sorted(missing)[:10]} ({words})"
    assert not set(sink.taken) - load.unsure, "the sink got what nobody sent"
    assert not load.permanent, f"a crash is no reason for a permanent refusal: {load.permanent[:5]}"
    assert server.stop() == 0
