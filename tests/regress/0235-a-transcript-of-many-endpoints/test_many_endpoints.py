"""A transcript of many endpoints is judged in time that grows with its length."""
import json

from postern_server import postern


def test_many_endpoints(tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("postern-audit 1\ntarget mail.example.org\nat 2026-11-22T00:00:00Z\n" + "endpoint 1 465 smtp\n" * 4000)
    done = postern("audit", "--json", "--judge", kept, timeout=20)
    assert len(json.loads(done.stdout)["targets"][0]["endpoints"]) == 4000
