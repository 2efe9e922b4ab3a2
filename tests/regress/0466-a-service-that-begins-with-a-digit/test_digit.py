"""Names that begin with a digit (RFC 6335 5.1) are names; ranges have no letter."""
import json

import pytest
from postern_server import postern


@pytest.mark.parametrize(("name", "port"), [("3par-mgmt-ssl", 5783), ("802-11-iapp", 3517), ("3com-tsmux/tcp", 106), ("9pfs", 564)])
def test_name(name, port):
    done = postern("port", "--json", name)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["ports"][0]["rows"]
    assert rows and {r["first"] for r in rows} == {port}


@pytest.mark.parametrize("text", ["460-", "460-70000", "460--470", "1-2-3", "-"])
def test_no_range(text):
    done = postern("port", "--json", "465", text)
    assert done.returncode == 64 and not done.stdout
