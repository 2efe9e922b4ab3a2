"""A policy that could not be written to the disk outlives a reload, and is written when it can be. sts-6, sts-7"""
import os
import pathlib
import sys

from postern_server import POSTERN

os.environ.setdefault("RELAY_CHILD", str(pathlib.Path(POSTERN).parent / "tests" / "relay" / "relay_child"))
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "relay"))
from peers import LATER  # noqa: E402
from signed import TXT, SignedDns  # noqa: E402
from test_sts import DOMAIN, other, policy, send, untouched, web_context, world  # noqa: E402, F401


def blocked(world, other, tmp_path, body):  # noqa: F811
    (tmp_path / "relay").mkdir()
    (tmp_path / "relay" / "mta-sts").write_text("no folder\n")
    world.dns = world.keep(SignedDns(world.records, ttl=0))
    world.serve(body)
    hop = world.hop(starttls=other)
    relay = world.relay(hop, state_dir=str(tmp_path))
    assert send(relay).cls == LATER
    assert "event=sts-not-kept" in relay.said()
    world.web.close()
    world.set("_mta-sts." + DOMAIN, TXT, None)
    return hop, relay


def test_it_outlives_a_reload(world, other, tmp_path):  # noqa: F811
    hop, relay = blocked(world, other, tmp_path, policy(mx=["*.two.example", "mx.one.example"]))
    for _ in range(2):
        relay.reload()
        r = send(relay)
        assert r.cls == LATER and "another name" in r.text, r
    untouched(hop)
    # The folder is put right: a reload writes what the next process reads.
    kept = tmp_path / "relay" / "mta-sts"
    kept.unlink()
    relay.reload()
    assert send(relay).cls == LATER
    assert (kept / DOMAIN).read_text().split("\n")[1:] == [
        "version: STSv1", "mode: enforce", "mx: *.two.example", "mx: mx.one.example", "max_age: 604800", ""]
    relay.stop()
    relay = world.relay(hop, state_dir=str(tmp_path))
    assert send(relay).cls == LATER
    untouched(hop)


def test_it_is_written_at_the_end(world, other, tmp_path):  # noqa: F811
    hop, relay = blocked(world, other, tmp_path, policy())
    (tmp_path / "relay" / "mta-sts").unlink()
    relay.drain()
    assert (tmp_path / "relay" / "mta-sts" / DOMAIN).exists()
    untouched(hop)
