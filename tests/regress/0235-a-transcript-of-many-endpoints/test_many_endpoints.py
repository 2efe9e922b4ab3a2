"""A transcript of many endpoints is judged in time that grows with its length."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent))
from postern_server import postern  # noqa: E402


def test_many_endpoints(tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("postern-audit 1\ntarget mail.example.org\nat 2026-11-22T00:00:00Z\n" + "endpoint 1 465 smtp\n" * 4000)
    done = postern("audit", "--json", "--judge", kept, timeout=20)
    assert len(json.loads(done.stdout)["targets"][0]["endpoints"]) == 4000
