"""SIGHUP at any time after the process is there means: read everything again."""
import time


def test_from_the_first_moment(make_server):
    for delay in (0.0, 0.002, 0.005, 0.01, 0.02, 0.05):
        one = make_server(config="").launch()
        # Until the program itself is in place the signal is the shell's or Python's affair.
        while b"serve" not in open(f"/proc/{one.process.pid}/cmdline", "rb").read():
            time.sleep(0.0005)
        time.sleep(0.003 + delay)
        one.hup()
        one.await_event("reloaded")
        assert not one.events("reload-refused")
        assert one.stop() == 0
