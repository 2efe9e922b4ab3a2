"""A resolver that does not answer says nothing about the host."""
import json

import pytest
from postern_server import free_port, postern

TRANSCRIPT = "postern-audit 1\ntarget h.example\nat 2026-11-22T13:20:00Z\n"
SYSTEM = TRANSCRIPT + "dns-failed h.example: Temporary failure in name resolution\n"


@pytest.mark.parametrize("system", [False, True])
def test_no_answer(tmp_path, system):
    (tmp_path / "t").write_text(SYSTEM)
    arguments = ("--judge", tmp_path / "t") if system else ("--timeout", "1", "--resolver", f"127.0.0.1@{free_port()}", "h.example")
    done = postern("audit", "--json", *arguments)
    endpoint, = json.loads(done.stdout)["targets"][0]["endpoints"]
    assert done.returncode == 2 and [f["id"] for f in endpoint["findings"]] == ["dns-failed"]
    assert endpoint["kind"] == "a name that could not be looked up"
