"""Honest load and all attacks at once for SOAK_SECONDS (make soak: an hour, against the build with sanitizers; a short form otherwise):
no process dies, memory stays flat, everything acknowledged arrives at least once, the end is clean, and no sanitizer has a report.

POSTERN_SANITIZED names a build to take instead of POSTERN; tools/check sets it.
"""
import math
import os
import pathlib
import re
import time

import pytest

import postern_server
from attackers import HONEST_NET, Siege, resident
from honest import Load
from kept import kept_log, told
from sink import Sink

BINARY = os.environ.get("POSTERN_SANITIZED") or postern_server.POSTERN
SECONDS = int(os.environ.get("SOAK_SECONDS", "15"))
RAMP = 3                # until everybody is there
BUILD = pathlib.Path(BINARY).resolve().parent
REPORT = re.compile(r"^.*(?:Sanitizer|runtime error:|Assertion).*$", re.M)
# A freed block waits in quarantine for a while; 256 MiB of that would hide what grows.
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99:quarantine_size_mb=8:malloc_context_size=5",
               "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99"}
GROWTH_KIB, GROWTH_SHARE = 16 * 1024, 0.10      # of one process after warm-up, over the rest of the time: whichever is more
# Thirty messages a second of one login, and thieves with its key: what habit-watch is there to stop has tests of its own.
CONFIG = """
relay = "smtp://127.0.0.1:{port}"
retry-first = "1 s"
retry-max = "5 s"
segment-size = "8 MiB"
fronts = 2
habit-watch = no
"""
ATTACKS = {
    "half-open": ["connections=400", "rate=50", "addresses=200"],
    "slow-reader": ["connections=30", "rate=5", "octets=200000"],
    "slow-writer": ["connections=60", "rate=20"],
    "greedy": ["connections=4", "rate=2", "octets=100000"],
    "garbage": ["connections=20", "rate=10", "octets=50000"],
    "churn": ["connections=20", "rate=8"],
    "guess": ["connections=30", "rate=5"],
    "guess-and-run": ["connections=20", "rate=4"],
    "idle": ["connections=100", "rate=20"],
}


def slope(points):
    """Least squares: what y gains while x gains one."""
    n = len(points)
    mx, my = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    across = sum((x - mx) ** 2 for x, _ in points)
    return sum((x - mx) * (y - my) for x, y in points) / across if across else 0.0


def grown(samples):
    """{process: (KiB it began with after warm-up, KiB it gained from there by the slope)} for those that gained too much."""
    bad = {}
    for name in samples[0][1]:
        points = [(when, sizes[name]) for when, sizes in samples[len(samples) // 3:] if name in sizes]
        gained = slope(points) * (points[-1][0] - points[0][0])
        if gained > max(GROWTH_KIB, GROWTH_SHARE * points[0][1]):
            bad[name] = (points[0][1], round(gained))
    return bad


def watch(server):
    """[(seconds, {process: KiB})], one a minute, or in a short run one a second."""
    begun, every, samples = time.monotonic(), min(60, max(1, SECONDS / 60)), []
    while time.monotonic() - begun < SECONDS:
        time.sleep(every)
        assert server.process.poll() is None, f"the master ended: {server.log.read_text(errors='replace')[-3000:]}"
        samples.append((time.monotonic() - begun, resident(server)))
        if math.floor(samples[-1][0] / 60) > math.floor((samples[-1][0] - every) / 60):
            print(f"{samples[-1][0]:.0f} s", " ".join(f"{k}={v}" for k, v in sorted(samples[-1][1].items())), "KiB", flush=True)
    return samples


@pytest.fixture
def besieged(make_server, monkeypatch, request):
    """(server, sink, its honest clients, begin(attack, arguments))"""
    monkeypatch.setattr(postern_server, "POSTERN", BINARY)
    sink = Sink()
    server = make_server(config=CONFIG.format(port=sink.port), env=ENVIRONMENT).start()
    server.add_key()
    load = Load(server, clients=3, pause=0.1).begun()
    request.addfinalizer(load.stop)

    def begin(attack, arguments, net=0):
        siege = Siege(BUILD, server, attack, f"{server.login}:{server.key}", arguments, SECONDS + 120, net)
        request.addfinalizer(siege.end)
        return siege

    return server, sink, load, begin


def test_an_hour_under_siege(besieged, record_property):
    with kept_log(besieged[0], "soak"):
        an_hour_under_siege(besieged, record_property)


def an_hour_under_siege(besieged, record_property):
    server, sink, load, begin = besieged
    before = server.children()
    probe = begin("probe", ["connections=500", "every=500"], HONEST_NET)
    attacks = {name: begin(name, arguments) for name, arguments in ATTACKS.items()}
    time.sleep(RAMP)
    samples = watch(server)
    probed = probe.stop()
    figures = {name: attack.stop() for name, attack in attacks.items()}
    load.stop()
    missing = load.missing(sink)
    words = (f"{SECONDS} s, {len(load.acknowledged)} + {probed['accepted']:.0f} acknowledged, {len(missing)} missing, "
             f"{sum(n - 1 for name, n in sink.taken.items() if name != '?')} duplicates; honest failures {dict(load.failures)}, "
             f"probe p50 {probed['p50_ms']:.0f} p99 {probed['p99_ms']:.0f} max {probed['max_ms']:.0f} ms, failed {probed['failed']:.0f}; "
             f"KiB {samples[0][1]} → {samples[-1][1]}; "
             + ", ".join(f"{name} {f['opened']:.0f}" for name, f in figures.items()))
    print(words, *told(server), sep="\n")
    record_property("soak", words)
    # A process that has died explains what comes after it.
    log = server.log.read_text(errors="replace")
    assert REPORT.findall(log) == [], "\n".join(REPORT.findall(log)[:20])
    assert server.events("child-ended") == [] and server.children() == before, f"a process has died ({words})"
    assert not missing, f"acknowledged and missing: {sorted(missing)[:10]} ({words})"
    postern_server.eventually(lambda: sink.taken["?"] >= probed["accepted"], f"the probe's messages: {words}")
    assert not load.failures and not probed["failed"], f"the honest noticed: {words}"
    assert all(f["there"] > 0 for f in figures.values()), f"hardly any attack: {figures}"
    assert not grown(samples), f"grows: {grown(samples)} ({words})"
    status = server.stop()
    log = server.log.read_text(errors="replace")
    assert REPORT.findall(log) == [], "\n".join(REPORT.findall(log)[:20])
    assert status == 0 and server.events("drain-cut") == [] and server.events("child-ended") == [], "no clean drain"
