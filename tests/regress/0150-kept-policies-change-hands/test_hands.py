"""What 5_relay keeps in directories of its own becomes its user's, too, when there is one. sts-7"""
from test_cage import USERS, people, pytestmark  # noqa: F401


def test_kept_policies_change_hands(make_server, people):  # noqa: F811
    prefix, place = people
    one = make_server(sets=["sandbox=required"])
    one.state, one.maildir, one.ca = place / "state", place / "state" / "Maildir", place / "state" / "tls" / "ca.pem"
    one.sets = ["sandbox=best"]
    one.start()
    assert one.stop() == 0
    for folder, name in (("mta-sts", "one.example"), ("tls-reports", "2026-11-22")):
        kept = one.state / "relay" / folder
        kept.mkdir(mode=0o700, exist_ok=True)
        (kept / name).write_text("as root alone has written it\n")
    one.sets = ["sandbox=required"]
    one.log.unlink()
    one.start(prefix)
    for path in ("relay", "relay/mta-sts", "relay/mta-sts/one.example", "relay/tls-reports", "relay/tls-reports/2026-11-22"):
        assert (one.state / path).stat().st_uid == USERS["postern-relay"], path
    assert one.stop() == 0
