"""Without trusted certificates a policy in force makes mail wait. sts-6, sts-7"""
import os
import pathlib
import sys

from postern_server import POSTERN

os.environ.setdefault("RELAY_CHILD", str(pathlib.Path(POSTERN).parent / "tests" / "relay" / "relay_child"))
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "relay"))
from peers import DELIVERED, LATER  # noqa: E402
from test_sts import good, send, web_context, world  # noqa: E402, F401


def test_no_trusted_certificates(world, good, tmp_path):  # noqa: F811
    hop = world.hop(starttls=good)
    relay = world.relay(hop, state_dir=str(tmp_path))
    assert send(relay).cls == DELIVERED
    relay.reload(relay_ca_file=str(tmp_path / "gone.pem"))
    r = send(relay)
    assert r.cls == LATER and "no trusted certificates" in r.text, r
    assert len(hop.mails) == 1
