"""`server` and `make_server` for every folder; postern_server.py has what they make."""
import pytest
from postern_server import POSTERN, ROOT, Server, eventually, free_port, make_certificate, postern  # noqa: F401


@pytest.fixture
def make_server(tmp_path):
    """make_server() without, make_server(config="...") with a configuration; not started yet."""
    made = []

    def make(config=None, **more):
        folder = tmp_path / f"server{len(made)}"
        folder.mkdir()
        made.append(Server(folder, config, **more))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.process.kill()
            one.process.wait()


@pytest.fixture
def server(make_server):
    """A server without a configuration, ready."""
    one = make_server().start()
    yield one
    assert one.stop() == 0
