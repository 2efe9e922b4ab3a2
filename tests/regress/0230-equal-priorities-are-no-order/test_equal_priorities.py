"""8314-10, 6186-1: priority alone orders services, and only among records that lead somewhere."""
import json

import pytest

from postern_server import postern

IMPLICIT, NEGOTIATED = "srv submissions {} 1 {} mail.example.org secure", "srv submission {} 1 {} mail.example.org secure"


@pytest.mark.parametrize("records,expected", [
    ([IMPLICIT.format(10, 465), NEGOTIATED.format(10, 587)], "srv-order-equal"),
    ([IMPLICIT.format(10, 465), NEGOTIATED.format(9, 587)], "srv-order"),
    ([IMPLICIT.format(10, 465), NEGOTIATED.format(0, 0)], "srv-good"),
    ([IMPLICIT.format(0, 0), NEGOTIATED.format(10, 587)], "srv-no-implicit"),
])
def test_equal_priorities(tmp_path, records, expected):
    kept = tmp_path / "kept"
    kept.write_text("\n".join(["postern-audit 1", "target example.org", "domain example.org", *records, ""]))
    done = postern("audit", "--json", "--judge", kept)
    endpoint, = json.loads(done.stdout)["targets"][0]["endpoints"]
    assert [f["id"] for f in endpoint["findings"] if f["id"].startswith("srv-")] == [expected]
