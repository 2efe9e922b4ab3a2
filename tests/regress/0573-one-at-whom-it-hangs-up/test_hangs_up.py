"""Where a session ends at one recipient the others go without him."""
import threading

import pytest

from peers import DELIVERED, LATER, RCPT_STAGE, Hop, World, only

PIPELINING = ("PIPELINING", "8BITMIME", "DSN")


@pytest.fixture
def beds():
    one = World()
    yield one
    one.close()


def served(hop):
    """Each recipient as often as he was served."""
    return sorted(line[len("RCPT TO:<"):].split("@")[0] for _, rcpts, _ in hop.mails for line in rcpts)


@pytest.mark.parametrize("offers", [PIPELINING, ()])
@pytest.mark.parametrize("says", ["421 4.7.0 enough of you", "DROP", "551-5.1.1 x\r\n451 4.1.1 y"])
@pytest.mark.parametrize("order", ["bcd", "cbd", "bdc"])
def test_the_others_are_served(beds, offers, says, order):
    hop = beds.hop({"RCPT TO:<c@": says}, offers=offers)
    got = {order[r.number]: r for r in beds.smart(hop).deliver([n + "@x.example" for n in order])}
    assert (got["b"].cls, got["c"].cls, got["d"].cls) == (DELIVERED, LATER, DELIVERED), got
    assert got["c"].stage == RCPT_STAGE and got["c"].code == (421 if "421" in says else 0), got
    assert served(hop) == ["b", "d"] and len(hop.sessions) <= 3


class Quota(Hop):
    """So many recipients in a session, and then it hangs up."""

    quota = 3

    def serve(self, s, session):
        with self.lock:
            self.left = getattr(self, "left", None) or threading.local()
        self.left.count = self.quota
        super().serve(s, session)

    def scripted(self, line, normal):
        if line.startswith("RCPT"):
            self.left.count -= 1
            if self.left.count < 0:
                return "421 4.5.3 too many"
        return super().scripted(line, normal)


def test_so_many_in_a_session(beds):
    hop = beds.keep(Quota())
    relay, todo = beds.smart(hop), ["r%02d" % i for i in range(12)]
    for _ in range(12):
        results = relay.deliver([n + "@x.example" for n in todo])
        left = [todo[r.number] for r in results if r.cls != DELIVERED]
        assert len(left) < len(todo), results
        todo = left
        if not todo:
            break
    assert not todo and served(hop) == ["r%02d" % i for i in range(12)]


@pytest.mark.parametrize("says", ["421 4.3.2 going down", "DROP"])
def test_who_wants_nobody_is_not_asked_for_ever(beds, says):
    hop = beds.hop({"RCPT": says})
    results = beds.smart(hop).deliver(["r%d@x.example" % i for i in range(40)])
    assert [r.cls for r in results] == [LATER] * 40 and len(hop.sessions) == 2


def test_some_and_then_nobody_each_time(beds):
    hop = beds.hop({"RCPT": ["250 ok", "421 no"] * 40})
    results = beds.smart(hop).deliver(["r%d@x.example" % i for i in range(40)])
    assert len(results) == 40 and len(hop.sessions) <= 5
    assert len(served(hop)) == sum(r.cls == DELIVERED for r in results)


def test_alone(beds):
    hop = beds.hop({"RCPT": "421 4.7.0 no"})
    assert only(beds.smart(hop).deliver(["b@x.example"])).code == 421 and len(hop.sessions) == 1
