"""What a process of ours has that it should not, and the other way round."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest
from postern_server import POSTERN, Server, eventually

NOBODY = 65534
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may look at the descriptors of a process that is not dumpable")


def open_files(pid):
    found = {}
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[int(link.name)] = os.readlink(link)
        except FileNotFoundError:
            pass        # it was closed in between
    return found


@root
def test_nobody_leaves_a_core_file():
    """What is not dumpable shows its files in /proc as root's, whoever runs it."""
    with tempfile.TemporaryDirectory(prefix="postern-") as name:
        os.chmod(name, 0o755)
        folder = pathlib.Path(name) / "server"
        folder.mkdir()
        one = Server(folder)
        os.chown(folder, NOBODY, NOBODY)
        # The tree may lie where only its owner comes, as in /root.
        program = shutil.copy(POSTERN, name)
        with one.log.open("a") as log, one.out.open("w") as out:
            one.process = subprocess.Popen([program, "serve", *one.options, *one.arguments()], stdin=subprocess.DEVNULL, stdout=out,
                                           stderr=log, user=NOBODY, group=NOBODY, extra_groups=[])
        try:
            one.await_event("ready")
            for pid in [one.process.pid, *one.children().values()]:
                assert f"Uid:\t{NOBODY}" in pathlib.Path(f"/proc/{pid}/status").read_text()
                assert os.stat(f"/proc/{pid}/environ").st_uid == 0
        finally:
            assert one.stop() == 0


@root
def test_strangers_descriptors_stay_outside(make_server, tmp_path):
    one = make_server()
    secret = open(tmp_path / "secret", "w")
    os.set_inheritable(secret.fileno(), True)
    with one.log.open("a") as log, one.out.open("w") as out:
        one.process = subprocess.Popen([POSTERN, "serve", *one.options, *one.arguments()], stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=log, pass_fds=[secret.fileno()])
    one.await_event("ready")
    for name, pid in one.children().items():
        assert str(tmp_path / "secret") not in open_files(pid).values(), name
    assert one.stop() == 0


@root
def test_the_spool_holds_the_lock(server):
    held = {name.split(":")[0] for name, pid in server.children().items() if str(server.state / "spool" / "lock") in open_files(pid).values()}
    assert held == {"spool"}


def test_killed_and_started_at_once(make_server):
    one = make_server().start()
    for _ in range(3):
        one.stop(signal.SIGKILL)
        one.start()
    assert one.stop() == 0


@root
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams(make_server, closed):
    one = make_server()
    command = " ".join([f"exec {POSTERN} serve", *one.options, *one.arguments()])
    with one.log.open("a") as log:
        one.process = subprocess.Popen(["sh", "-c", f"{command} {closed}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=log)

    def up():
        try:
            return one.served_leaf()
        except OSError:
            return None

    eventually(up, "a handshake")
    for pid in [one.process.pid, *one.children().values()]:
        files = open_files(pid)
        assert all(n in files and files[n].startswith(("/dev/null", str(one.log))) for n in (0, 1, 2)), files
    assert one.stop() == 0
