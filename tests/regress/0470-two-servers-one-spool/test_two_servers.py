"""WHY tells of it."""
import signal


def test_a_spool_has_one_server(make_server, tmp_path):
    shared = f'spool-dir = "{tmp_path}/spool"\n'
    one, two = make_server(config=shared).start(), make_server(config=shared).launch()
    assert two.process.wait(30) == 75, two.log.read_text()
    assert f"another server (process {one.process.pid}) already works in {tmp_path}/spool" in two.log.read_text()
    assert two.events("spool-open") == []
    # Who had it goes on, and once that one is gone, however it went, the place is free.
    one.stop(signal.SIGKILL)
    two.start()
    assert two.stop() == 0
