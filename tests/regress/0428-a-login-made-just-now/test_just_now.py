"""`postern user unlock` knows a login that was made a moment before, by a server that runs."""
from postern_server import postern


def test_it_is_known(make_server):
    server = make_server(config="fronts = 1\n").start()
    for name in ("shop", "club", "cron"):
        server.add_key(name, f"{name}@example.org", "server")
        done = postern("user", "unlock", *server.options, f"{name}/server", "--network", "192.0.2.7")
        assert done.returncode == 0, done.stderr
    assert server.stop() == 0
