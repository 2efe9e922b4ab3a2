"""A mailed TLS report waits a day, not as long as other mail. rpt-4"""
import datetime

from postern_server import eventually
from road import QUICK, show, waiting
from test_reports import yesterday
from test_reports_whole import CONF, names


def test_a_mailed_report_waits_a_day(world):
    hop = world.hop("127.0.0.1", {"MAIL": "451 4.3.0 not now"}, offers=["PIPELINING", "8BITMIME", "DELIVERBY 60"])
    names(world, "mailto:reports@one.example")
    ours = world.serve(QUICK + CONF, start=False)
    yesterday(ours.state)
    ours.start()
    eventually(lambda: any(line.startswith("MAIL") for s in hop.sessions for line in s.lines), "the report")
    (one,) = waiting(ours)
    said = show(ours, one["id"])
    until = datetime.datetime.fromisoformat(str(said["deliver_by"]).replace("Z", "+00:00"))
    left = until - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(hours=23, minutes=50) < left <= datetime.timedelta(hours=24), said
    assert said["else"] == "return"
    # The deadline is ours: RFC 2852 is between a sender and his server, and he has asked for nothing.
    assert not any(" BY=" in line for s in hop.sessions for line in s.lines)
    assert not hop.mails and not ours.events("dsn")
