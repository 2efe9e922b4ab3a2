"""A spool with many waiting messages: how long a start takes, what it needs, how soon the first page of `queue list` is there.

20,000 here; bench/million has the figures for a million.
"""
import json
import pathlib
import subprocess
import time

import pytest
from postern_server import POSTERN, postern

FILL = pathlib.Path(POSTERN).parent / "bench" / "fill"
MESSAGES = 20_000


def resident(pid):
    """KiB that the process had at most."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


@pytest.fixture
def many(make_server):
    one = make_server(config='relay = "mx"\ndns-server = "127.0.0.1@9"\nfronts = 1\n')
    one.state.mkdir(mode=0o700)
    subprocess.run([FILL, one.state / "spool", str(MESSAGES), "destinations=1000", "rcpts=2"], check=True, capture_output=True)
    yield one.start()
    assert one.stop() == 0


def test_started_and_listed(many):
    assert many.events("spool-open")[0]["messages"] == str(MESSAGES)
    # Beyond what a spool needs that is empty: a million may take a gibibyte, so each of these a kilobyte.
    assert resident(many.children()["spool:0"]) < 32 * 1024 + MESSAGES
    began = time.monotonic()
    with subprocess.Popen([POSTERN, "queue", "list", *many.options], stdout=subprocess.PIPE, text=True) as lister:
        first = [lister.stdout.readline() for _ in range(100)]
        assert time.monotonic() - began < 3, "the first page"
        rest = lister.stdout.read().splitlines()
    assert first[1].endswith("<alice@example.org>\n")
    assert len(first) + len(rest) == MESSAGES + 2 and rest[-1].startswith(f"{MESSAGES} messages, ")


def listed(one, *more):
    done = postern("queue", "list", *one.options, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_so_many_and_no_more(many):
    shown = listed(many, "--most", "750").splitlines()
    assert len(shown) == 752 and shown[-1].startswith("750 messages, ")
    ids = [line.split()[0] for line in shown[1:-1]]
    assert len(set(ids)) == 750
    assert [row["id"] for row in json.loads(listed(many, "--most", "750", "--json"))] == ids
    assert len(json.loads(listed(many, "--json"))) == MESSAGES
    assert json.loads(listed(many, "--json", "--held")) == []
    assert json.loads(listed(many, "--json", "--most", "5", "user7@d7.example.net"))[0]["recipients"] == 2
    for wrong in "0", "-1", "many", "":
        done = postern("queue", "list", *many.options, "--most", wrong)
        assert done.returncode == 64 and "--most needs a number of messages" in done.stderr
    assert postern("queue", "drop", *many.options, ids[0], "--most", "1").returncode == 64
