"""A front that begins anew while a reload waits for 2_signer has each listener once."""
import collections
import os
import pathlib
import re
import signal
import socket

import pytest
from postern_server import eventually, free_port

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="fronts have identities of their own")


def listening(pid):
    """How many descriptors the process has of each listening port."""
    inodes = {part[9]: int(part[1].split(":")[1], 16) for part in map(str.split, pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:])
              if part[3] == "0A"}
    found = collections.Counter()
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        name = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(link))
        if name and name.group(1) in inodes:
            found[inodes[name.group(1)]] += 1
    return found


def test_each_listener_once(make_server):
    one = make_server(config="fronts = 2\n").start()
    before, old = one.children(), one.submission
    os.kill(before["signer:0"], signal.SIGSTOP)
    one.submission = free_port()
    one.write_config("fronts = 2\n")
    one.hup()
    one.await_event("reloaded")
    os.kill(before["front:0"], signal.SIGKILL)
    one.await_event("child-ready", child="front")
    os.kill(before["signer:0"], signal.SIGCONT)
    one.await_event("certificate-proved")
    after = one.children()
    assert after["signer:0"] == before["signer:0"]
    for front in ("front:0", "front:1"):
        eventually(lambda pid=after[front]: listening(pid)[one.submission], f"the new listener in {front}")
        assert listening(after[front]) == {one.submissions: 1, one.submission: 1}, front
    # And it goes as it came.
    one.submission = old
    one.write_config("fronts = 2\n")
    one.hup()
    one.await_event("certificate-proved", 2)
    for front in ("front:0", "front:1"):
        eventually(lambda pid=after[front]: listening(pid) == {one.submissions: 1, old: 1}, f"the old listener in {front}")
    with socket.create_connection((one.host, old), 10) as tcp:
        assert tcp.recv(100).startswith(b"220 ")
    assert one.stop() == 0
