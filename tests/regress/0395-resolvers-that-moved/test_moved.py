"""The machine's resolvers and its hosts file are those of today."""
import os
import pathlib
import shutil
import subprocess
import time

import pytest

from peers import A, MX, Dns
from road import QUICK, World, await_empty, submit, waiting

OLD, NEW = ("127.0.0.71", 53), ("127.0.0.72", 53)


@pytest.fixture
def etc(tmp_path):
    """A copy of /etc, and a command prefix under which it is /etc."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare(1)")
    copy = tmp_path / "etc"
    subprocess.run(["cp", "-a", "/etc", str(copy)], check=True)
    (copy / "resolv.conf").unlink(missing_ok=True)
    (copy / "resolv.conf").write_text(f"nameserver {OLD[0]}\n")
    (copy / "hosts").write_text("127.0.0.1 localhost\n")
    prefix = ["unshare", "--mount", "sh", "-c", f'mount --bind {copy} /etc && exec "$0" "$@"']
    if subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no mount namespace here")
    return prefix, copy


@pytest.fixture
def world(make_server):
    one = World(make_server)
    yield one
    one.close()


@pytest.fixture
def resolvers():
    """One that knows nobody today, and one that does."""
    right = {("one.example", MX): [(10, "mx.one.example")], ("mx.one.example", A): ["127.0.0.2"]}
    made = []
    for records, where in (dict.fromkeys(right, "SERVFAIL"), OLD), (right, NEW):
        try:
            made.append(Dns(records, where))
        except OSError:
            pytest.skip("port 53 is somebody else's")
    yield made
    for one in made:
        one.close()


def begin(world, etc, relay="mx"):
    hop = world.hop("127.0.0.2")
    server = world.serve(QUICK, start=False, relay=relay.format(port=hop.port))
    server.start(prefix=etc[0])
    server.add_key("alice", "@sender.example")
    return server, hop


def replace(path, text):
    fresh = path.with_name("fresh")
    fresh.write_text(text)
    os.replace(fresh, path)


@pytest.mark.parametrize("change", [replace, pathlib.Path.write_text])
def test_resolvers(world, etc, resolvers, change):
    server, hop = begin(world, etc)
    submit(server, "b@one.example")
    server.await_event("deferred")
    change(etc[1] / "resolv.conf", f"# of the new network\nnameserver {NEW[0]}\n")
    server.await_event("resolvers-taken")
    await_empty(server)
    assert len(hop.mails) == 1
    assert {(e["child"], e["level"]) for e in server.events("child-ended")} == {("relay", "note")}


def test_hosts(world, etc):
    server, hop = begin(world, etc, "smtp://hub.example:{port}")
    submit(server, "b@one.example")
    server.await_event("deferred")
    replace(etc[1] / "hosts", "127.0.0.1 localhost\n127.0.0.2 hub.example\n")
    await_empty(server)
    assert len(hop.mails) == 1
    # A file of the same words is no reason to begin anew, and a reload reads what there is.
    replace(etc[1] / "hosts", "127.0.0.1 localhost\n127.0.0.2 hub.example\n")
    server.hup()
    server.await_event("reloaded")
    submit(server, "b@one.example")
    await_empty(server)
    assert len(hop.mails) == 2 and len(server.events("resolvers-taken")) == 1


def test_one_that_is_being_written(world, etc, resolvers):
    server, hop = begin(world, etc)
    (etc[1] / "resolv.conf").unlink()
    time.sleep(6)                                                       # a look every five seconds
    submit(server, "b@one.example")
    server.await_event("deferred")
    (etc[1] / "resolv.conf").write_text("")
    time.sleep(6)
    assert resolvers[0].asked and waiting(server) and not server.events("resolvers-taken")
    (etc[1] / "resolv.conf").write_text(f"nameserver {NEW[0]}\n")
    server.await_event("resolvers-taken")
    await_empty(server)
    assert len(hop.mails) == 1
