"""What the field says of a port is said of TCP, and of UDP beside it; not of SCTP and DCCP, which have ports of their own (RFC 6335 7.2)."""
import json

import pytest

from postern_server import postern


@pytest.mark.parametrize("query, profile", [("465", True), ("465/tcp", True), ("465/udp", True), ("465/sctp", False), ("587/dccp", False),
                                            ("submissions", True), ("submissions/sctp", False), ("smtps/dccp", False)])
def test_whose_field(query, profile):
    port, = json.loads(postern("port", "--json", query).stdout)["ports"]
    assert bool(port["profile"]) == profile
    text = postern("port", query).stdout
    assert ("The field:" in text) == profile
    assert ("historical alias" in text) <= bool(port["aliases"]) and (profile or not port["aliases"])
