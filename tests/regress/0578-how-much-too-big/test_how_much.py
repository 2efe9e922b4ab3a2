"""What is too big is told with how big it may be."""
import pytest

from peers import NEVER, World, only


@pytest.fixture
def beds():
    one = World()
    yield one
    one.close()


def test_both_sizes_are_told(beds):                                     # 1870-6
    content = b"Subject: x\r\n\r\n" + b"y" * 100 + b"\r\n"
    got = only(beds.smart(beds.hop(offers=["SIZE 100"])).deliver(["b@x.example"], content=content))
    assert (got.cls, got.code, got.enhanced) == (NEVER, 0, "5.3.4"), got
    assert got.text == "message is bigger than the peer takes: %d octets, at most 100" % len(content), got
