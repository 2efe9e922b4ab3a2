"""The place of a finding is a URI whatever the target is called (RFC 3986 2.1, 3.2.2)."""
import json

import pytest

from postern_server import postern


@pytest.mark.parametrize("target,uri", [("2001:db8::1", "smtp://[2001:db8::1]:465"), ("192.0.2.1", "smtp://192.0.2.1:465"),
                                        ('a "host"', "smtp://a%20%22host%22:465")])
def test_place(tmp_path, target, uri):
    kept = tmp_path / "kept"
    kept.write_text(f"postern-audit 1\ntarget {target}\nat 2026-11-22T00:00:00Z\nendpoint 2001:db8::1 465 submissions\nconnect refused\n")
    result, = json.loads(postern("audit", "--sarif", "--judge", kept).stdout)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri
