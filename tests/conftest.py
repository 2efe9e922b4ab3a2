"""The fixtures that every folder may ask for; postern_server.py, tests/relay and tests/audit have what they make."""
import os
import ssl
import sys

import pytest
from postern_server import ROOT, Server, postern

# What one folder has for all: no two of these modules have one name.
sys.path += [str(ROOT / folder) for folder in ("tests/audit", "tests/cage", "tests/crash", "tests/milter", "tests/relay", "bench")]

from peers import Authority  # noqa: E402
from road import World  # noqa: E402
from zoo import Papers  # noqa: E402


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


@pytest.fixture
def world(make_server):
    """Next hops, the names that lead to them, and servers in front of them."""
    one = World(make_server)
    yield one
    one.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A CA for the next hops of tests/relay."""
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session", autouse=True)
def somebody_is_trusted(tmp_path_factory):
    """`postern audit` wants to trust somebody. On a machine without a list of CA certificates, that is a CA of our own."""
    if ssl.get_default_verify_paths().cafile is None:
        os.environ["SSL_CERT_FILE"] = str(Authority(tmp_path_factory.mktemp("trusted")).ca)


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    """A CA for the animals of tests/audit."""
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="session")
def server_for_talks(tmp_path_factory):
    """The server that tests/dialog talks to, unless the environment names one already."""
    if os.environ.get("POSTERN_TEST_CA"):
        yield None
        return
    one = Server(tmp_path_factory.mktemp("talks"), config="").start()
    done = postern("user", "add", *one.options, "alice", "--address", "alice@example.org", "--password", input="secret\n")
    assert done.returncode == 0, done.stderr
    place = {"POSTERN_TEST_SUBMISSIONS": str(one.submissions), "POSTERN_TEST_SUBMISSION": str(one.submission),
             "POSTERN_TEST_CA": str(one.ca)}
    os.environ.update(place)
    yield one
    for name in place:
        del os.environ[name]
    assert one.stop() == 0


@pytest.fixture(autouse=True)
def talks_have_a_server(request):
    """Here and not in a conftest.py of that folder: two modules of one name would hide each other."""
    if request.path.parent.name == "dialog":
        request.getfixturevalue("server_for_talks")
