"""A server for the conversations over TLS, unless the environment names one already."""
import os

import pytest
from postern_server import Server, postern


@pytest.fixture(scope="session", autouse=True)
def server_for_talks(tmp_path_factory):
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
