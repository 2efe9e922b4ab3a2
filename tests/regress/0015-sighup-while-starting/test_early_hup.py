"""SIGHUP at any time after the program is in its main() means: read everything again."""
import pathlib
import time

from postern_server import eventually

HUP = 1     # the bit of signal 1


def minds_it(pid):
    """Is the signal blocked or caught? Before that it is the kernel's and the loader's time."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text().split("\n")
    masks = [int(line.split()[1], 16) for line in status if line.startswith(("SigBlk:", "SigCgt:"))]
    return any(mask & HUP for mask in masks)


def test_from_the_first_moment(make_server):
    for delay in (0.0, 0.002, 0.005, 0.01, 0.02, 0.05):
        one = make_server(config="").launch()
        eventually(lambda: minds_it(one.process.pid), "a process that minds SIGHUP")
        time.sleep(delay)
        one.hup()
        one.await_event("reloaded")
        assert not one.events("reload-refused")
        assert one.stop() == 0
