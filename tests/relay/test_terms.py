"""A later release, an urgency, a deadline: the whole way through all processes (RFC 4865, RFC 6710, RFC 2852)."""
import json
import re
import signal
import time
from datetime import datetime, timezone

import pytest

from postern_server import eventually, postern
from road import LETTER, QUICK, await_empty, await_reports, client, queue, show, submit, waiting

TO = "b@one.example"
FULL = ("PIPELINING", "SIZE 50000000", "8BITMIME", "DSN", "ENHANCEDSTATUSCODES", "MT-PRIORITY", "DELIVERBY 1")
PLAIN = ("PIPELINING", "SIZE 50000000", "8BITMIME", "ENHANCEDSTATUSCODES")


def road(world, more="", **hop):
    """(server, the recipients' hop, the sender's hop)"""
    there, back = world.hop("127.0.0.2", **hop), world.hop("127.0.0.3")
    world.names({"one.example": "127.0.0.2", "sender.example": "127.0.0.3"})
    return world.serve(QUICK + more), there, back


def mail_lines(hop):
    return [line for s in hop.sessions for line in s.lines if line.startswith("MAIL ")]


def refused(server, *parameters, sender="alice@sender.example"):
    with client(server) as smtp:
        return smtp.mail(sender, list(parameters))


def at(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


# ---- FUTURERELEASE ----

def test_offered_once_proved(world):                                    # 4865-1, 6710-1, 2852-1
    server, _, _ = road(world, 'deliver-by-min = "30 s"\n')
    with client(server) as smtp:
        assert "futurerelease" not in smtp.esmtp_features and smtp.esmtp_features["deliverby"] == "30"
        assert "mt-priority" in smtp.esmtp_features
        smtp.ehlo()
        seconds, last = smtp.esmtp_features["futurerelease"].split()
        assert int(seconds) == 30 * 86400 and abs(at(last) - time.time() - 30 * 86400) < 5
    assert refused(server, "BY=29;R") == (554, b"5.4.7 less time than DELIVERBY asks for here")


def test_not_early_whatever_happens(world):                             # 4865-4
    server, there, _ = road(world)
    began = time.time()
    id = submit(server, TO, mail=["HOLDFOR=4"])
    other = submit(server, TO, mail=["HOLDUNTIL=" + datetime.fromtimestamp(began + 5, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")])
    entry = show(server, id)
    assert abs(at(entry["release"]) - began - 4) <= 1 and entry["next_try"] == entry["release"] and not entry["being_tried"]
    assert "waits for its release at" in queue(server, "show", id)
    assert "reschedule" in queue(server, "retry", id, code=66)
    assert queue(server, "retry", "all") == "to be tried now: 0 messages\n"
    assert server.stop(signal.SIGKILL) is not None
    server.start()
    assert {m["id"] for m in waiting(server)} == {id, other} and show(server, id)["release"] == entry["release"]
    assert server.stop() == 0
    server.start()
    # As the log has it: on a slow machine the two starts take longer than that.
    for one, after in ((id, 4), (other, int(began + 5) - began)):
        assert at(server.await_event("delivered", id=one)["ts"]) >= began + after
    await_empty(server)


def test_cancel_and_reschedule(world):                                  # 4865-4
    server, there, back = road(world, script={"RCPT TO:<slow": "451 4.3.0 not yet"})
    held, moved, other = [submit(server, TO, mail=["HOLDFOR=86400"]) for _ in range(3)]
    usual = submit(server, "slow@one.example")
    assert queue(server, "cancel", held) == "cancelled: 1 message\n"
    assert queue(server, "drop", other) == "dropped: 1 message\n"
    eventually(lambda: show(server, usual)["attempts"] > 0, "a try of the usual one")
    assert "does not wait for its release" in queue(server, "cancel", usual, code=66)
    assert "does not wait for its release" in queue(server, "reschedule", usual, "2h", code=66)
    assert "later than future-release allows" in queue(server, "reschedule", moved, "31d", code=64)
    assert "no such message" in queue(server, "reschedule", held, "2h", code=66)
    assert "how long from now" in queue(server, "reschedule", moved, "soon", code=64)
    assert queue(server, "reschedule", moved, "2h") == "rescheduled: 1 message\n"
    assert abs(at(show(server, moved)["release"]) - time.time() - 7200) < 5
    assert server.stop(signal.SIGKILL) is not None
    server.start()
    assert {m["id"] for m in waiting(server)} == {moved, usual}
    assert abs(at(show(server, moved)["release"]) - time.time() - 7200) < 10
    assert queue(server, "reschedule", moved, "now") == "rescheduled: 1 message\n"
    eventually(lambda: there.mails, "the rescheduled one")
    assert len(there.mails) == 1 and server.events("cancelled", id=held) and server.events("rescheduled", id=moved)


def test_quota(world):                                                  # 4865-5
    server, _, _ = road(world, "future-release-messages = 2\n")
    ids = [submit(server, TO, mail=["HOLDFOR=600"]) for _ in range(2)]
    code, text = refused(server, "HOLDFOR=600")
    assert code == 552 and text.startswith(b"5.2.2 ")
    assert refused(server)[0] == 250
    queue(server, "cancel", ids[0])
    assert refused(server, "HOLDFOR=600")[0] == 250
    submit(server, TO, mail=["HOLDFOR=600"])
    assert server.stop() == 0
    server.start()
    assert refused(server, "HOLDFOR=600")[0] == 552                     # counted again after a restart
    server.add_key("carol", "carol@sender.example")
    assert refused(server, "HOLDFOR=600", sender="carol@sender.example")[0] == 250


def test_notification_names_the_request(world):                         # 4865-6
    server, _, back = road(world, script={"RCPT": "550 5.1.1 nobody"})
    submit(server, TO, mail=["HOLDFOR=1"])
    report = await_reports(back)[0]
    assert report.about["Future-Release-Request"] == "for;1" and report.about["Arrival-Date"]


# ---- MT-PRIORITY ----

def allow(server, name, priority):
    done = postern("user", "set", *server.options, name, "--priority", priority)
    assert done.returncode == 0, done.stderr


def test_only_who_may_is_urgent(world):                                 # 6710-1, 6710-2, 6710-3, 6710-4
    server, there, _ = road(world, offers=FULL)
    assert refused(server, "MT-PRIORITY=4")[1].startswith(b"2.3.6 0 ")
    submit(server, TO, mail=["MT-PRIORITY=4"])
    eventually(lambda: there.mails, "the usual one")
    assert "MT-PRIORITY" not in mail_lines(there)[0]
    allow(server, "alice", 6)
    eventually(lambda: refused(server, "MT-PRIORITY=4")[1].startswith(b"2.1.0 "), "the users file", 5)
    assert refused(server, "MT-PRIORITY=9")[1].startswith(b"2.3.6 6 ")
    submit(server, TO, mail=["MT-PRIORITY=5"])
    submit(server, TO, mail=["MT-PRIORITY=-3"])
    eventually(lambda: len(there.mails) == 3, "the others")
    assert [re.search(r"MT-PRIORITY=(\S+)", line).group(1) for line in mail_lines(there)[1:]] == ["5", "-3"]
    assert b"PRIORITY 5;" in b" ".join(there.mails[1][2].split()) and server.events("accepted", priority="5")
    listed = json.loads(postern("user", "list", *server.options, "--json").stdout)
    assert [u["priority"] for u in listed if u["name"] == "alice"] == [6]
    allow(server, "alice", "none")
    eventually(lambda: refused(server, "MT-PRIORITY=4")[1].startswith(b"2.3.6 0 "), "the users file", 5)


def test_urgent_first(world):                                           # 6710-4
    server, there, _ = road(world, "relay-concurrency = 1\nmt-priority-max = 9\n", offers=PLAIN, slow=1.5)
    # One on its way, and three more that the relay has already: the others are 4_spool's to choose from.
    for _ in range(4):
        submit(server, TO)
    eventually(lambda: there.sessions and "DATA" in there.sessions[0].lines, "the first one on its way")
    time.sleep(0.2)
    there.slow = 0
    ids = {priority: submit(server, TO, LETTER.replace(b"the way", str(priority).encode()), mail=[f"MT-PRIORITY={priority}"])
           for priority in (-9, -1, 1, 9, 4)}
    assert not there.mails, "too slow a machine for this test"
    assert show(server, ids[9])["priority"] == 9 and "priority -1" in queue(server, "show", ids[-1])
    eventually(lambda: len(there.mails) == 9, "all of them", 20)
    assert [int(m) for mail in there.mails for m in re.findall(rb"Subject: (-?\d)", mail[2])] == [9, 4, 1, -1, -9]
    assert not any("MT-PRIORITY" in line for line in mail_lines(there))


# ---- DELIVERBY ----

def test_deadline_goes_along(world):                                    # 2852-2, 2852-3
    server, there, back = road(world, offers=FULL)
    submit(server, TO, mail=["BY=600;R"])
    submit(server, TO, mail=["BY=+700;NT"])
    eventually(lambda: len(there.mails) == 2, "both")
    (r, n) = sorted(re.search(r" BY=(-?\d+);(\w+)", line).groups() for line in mail_lines(there))
    assert 590 <= int(r[0]) <= 600 and r[1] == "R" and 690 <= int(n[0]) <= 700 and n[1] == "NT"
    report = await_reports(back)[0]                                     # the T of the second
    assert report.people[0]["Action"] == "relayed" and report.about["Deliver-By-Date"]
    await_empty(server)
    assert len(back.mails) == 1


def test_hop_without_it(world):                                         # 2852-2, 2852-3
    server, there, back = road(world, offers=PLAIN)
    submit(server, TO, mail=["BY=600;R"])
    failed = await_reports(back)[0]
    assert failed.people[0]["Action"] == "failed" and failed.people[0]["Status"] == "5.3.3" and not there.mails
    submit(server, TO, mail=["BY=600;N"])
    relayed = await_reports(back, 2)[1]
    assert relayed.people[0]["Action"] == "relayed" and len(there.mails) == 1
    submit(server, [(TO, "NOTIFY=NEVER")], mail=["BY=600;N"])
    await_empty(server)
    assert len(there.mails) == 2 and len(back.mails) == 2


def test_deadline_passes(world):                                        # 2852-2, 2852-3
    server, there, back = road(world, script={"RCPT": ["451 4.2.1 later"] * 5, "RCPT TO:<never": "451 4.2.1 later"}, offers=FULL)
    submit(server, "never@one.example", mail=["BY=2;R"])
    late = submit(server, TO, mail=["BY=2;N"])
    reports = sorted(await_reports(back, 2), key=lambda r: r.people[0]["Action"])
    delayed, failed = reports[0].people[0], reports[1].people[0]
    assert (delayed["Action"], delayed["Status"]) == ("delayed", "4.4.7") and delayed["Will-Retry-Until"]
    assert (failed["Action"], failed["Status"]) == ("failed", "5.4.7") and reports[1].about["Deliver-By-Date"]
    eventually(lambda: there.mails, "the late one")
    await_empty(server)
    assert len(back.mails) == 2 and server.events("delivered", id=late)  # told once


def test_deadline_of_a_dead_host(world):                                # 2852-2
    server, there, back = road(world)
    there.close()
    id = submit(server, TO, mail=["BY=2;R"])
    assert "to be delivered by" in queue(server, "show", id) and show(server, id)["else"] == "return"
    report = await_reports(back)[0].people[0]
    assert report["Action"] == "failed" and report["Status"] == "5.4.7"
    assert "set" in report["Diagnostic-Code"]
    await_empty(server)


# ---- postern send ----

def send(server, *more):
    sender = "demo@postern.localhost"
    return postern("send", "--server", f"submissions://127.0.0.1:{server.submissions}", "--user", server.login, "--ca", server.ca,
                   "--from", sender, "--to", TO, *more, input=f"From: {sender}\nSubject: hi\n\nhi\n",
                   env={"POSTERN_PASSWORD": server.key, "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"})


def test_send_says_when(server):                                        # 4865-2, 6710-1, 2852-1
    began = time.time()
    assert send(server, "--hold-for", "1 h", "--priority", "-2", "--deliver-by", "2h,return,trace").returncode == 0
    soon = datetime.fromtimestamp(began + 7200, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert send(server, "--hold-until", soon).returncode == 0
    first, second = waiting(server)
    assert second["release"] == soon
    assert abs(at(first["release"]) - began - 3600) < 5 and abs(at(first["deliver_by"]) - began - 7200) < 5
    assert (first["priority"], first["else"], first["trace"]) == (-2, "return", True)
    assert send(server, "--deliver-by", "1h").returncode == 0
    assert server.await_mails()


@pytest.mark.parametrize("options,words", [
    (("--hold-for", "soon"), "span of time"),
    (("--hold-for", "1h", "--hold-until", "2099-01-01T00:00:00Z"), "once"),
    (("--hold-until", "2h"), "2026-11-23T08:00:00Z"),
    (("--hold-until", "2020-01-01T00:00:00Z"), "over"),
    (("--priority", "10"), "-9 to 9"),
    (("--deliver-by", "2h,perhaps"), "return"),
])
def test_send_names_what_is_wrong(options, words):
    done = postern("send", "--server", "submissions://postern.localhost:9", "--to", TO, *options, input="")
    assert done.returncode == 64 and words in done.stderr


def test_send_to_who_does_not_offer_it(make_server):
    server = make_server(sets=["future-release=0", "mt-priority=no", "deliver-by=no"]).start()
    for option, value, keyword in (("--hold-for", "1h", "FUTURERELEASE"), ("--priority", "1", "MT-PRIORITY"),
                                   ("--deliver-by", "1h", "DELIVERBY")):
        done = send(server, option, value)
        assert done.returncode == 69 and f"does not offer {keyword}" in done.stderr
    assert send(server).returncode == 0
    assert server.stop() == 0
