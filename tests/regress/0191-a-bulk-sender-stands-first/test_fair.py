"""A single mail does not wait for another principal's hundreds to the same host (see WHY)."""
import time

from peers import DELIVERED, Hop, Relay


def test_turns():
    hop = Hop(slow=0.05)
    relay = Relay({"relay": "smtp://127.0.0.1:%d" % hop.port, "relay-concurrency": "1"})
    try:
        burst = [relay.attempt(["b@next.example"], login="alice") for _ in range(60)]
        time.sleep(0.3)
        bob = relay.attempt(["c@next.example"], login="bob")
        assert relay.wait(bob)[0].cls == DELIVERED
        # One of hers may have been under way, one was next; not all sixty.
        before = [m for m in hop.mails if m[1] == ["RCPT TO:<b@next.example>"]]
        assert len(before) < 20
        hop.slow = 0
        for session in burst:
            assert relay.wait(session)[0].cls == DELIVERED
    finally:
        relay.stop()
        hop.close()
