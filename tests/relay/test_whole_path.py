"""The whole way: a client, all processes, next hops, and what comes back."""
import os
import subprocess
import time

import pytest

from postern_server import eventually
from peers import A, Authority
from road import LETTER, QUICK, SENDER, await_empty, await_reports, client, in_content, queue, show, submit, waiting


# ---- another Postern as smart host ----

OURS = "alice@postern.localhost"
FROM_OURS = {"sender": OURS, "content": LETTER.replace(SENDER.encode(), OURS.encode())}


def smart(world, password=None, ca=None, name="postern.localhost"):
    """(ours, the smart host): ours hands on to it over submissions://."""
    host = world.make_server().start()
    world.servers.append(host)
    ours = world.make_server(config="")
    world.servers.append(ours)
    secret = ours.folder / "password"
    secret.write_text((password or host.key) + "\n")
    secret.chmod(0o600)
    world.names({(name, A): ["127.0.0.1"]})
    ours.write_config(f'relay = "submissions://demo@{name}:{host.submissions}"\nrelay-credentials = "{secret}"\n'
                      f'relay-ca-file = "{ca or host.ca}"\ndns-server = "{world.dns.server}"\n' + QUICK)
    ours.start()
    ours.add_key("alice", "@postern.localhost")
    return ours, host


def last_words(server, id, *wanted):
    """What `postern queue show` says once it says all that is wanted."""
    try:
        return eventually(lambda: (said := queue(server, "show", id)) and all(w in said for w in wanted) and said, wanted, 10)
    except AssertionError:
        raise AssertionError(f"{wanted} are not in: {queue(server, 'show', id)}") from None


def test_smart_host_is_another_postern(world):                          # 8314-43
    ours, host = smart(world)
    submit(ours, "b@one.example", **FROM_OURS)
    mail = host.await_mails()[0]
    assert b"\n.hello\n" in mail and mail.count(b"Received: ") == 2 and b"Return-Path: <alice@postern.localhost>" in mail
    done = ours.await_event("delivered")
    assert done["tls"].startswith("TLSv1.3 ") and done["tls"].endswith(" verified") and done["status"] == "2.0.0"
    await_empty(ours)


def test_smart_host_with_an_unknown_ca(world, tmp_path):
    ours, host = smart(world, ca=Authority(tmp_path).ca)
    id = submit(ours, "b@one.example", **FROM_OURS)
    said = last_words(ours, id, "TLS failed", "CA")
    assert "b@one.example" in said and not host.mails()
    assert host.key not in ours.log.read_text()


def test_smart_host_of_another_name(world):
    ours, host = smart(world, name="other.localhost")
    id = submit(ours, "b@one.example", **FROM_OURS)
    last_words(ours, id, "TLS failed", "other.localhost", "postern.localhost")
    assert not host.mails()


def test_smart_host_and_a_wrong_password(world):
    ours, host = smart(world, password="wrong-password")
    id = submit(ours, "b@one.example", **FROM_OURS)
    last_words(ours, id, "535", "5.7.8 authentication credentials invalid")
    assert not host.mails() and "wrong-password" not in ours.log.read_text() + queue(ours, "show", id)


# ---- MX ----

def test_mx_in_order_then_the_next(world):                              # 5321-64, 5321-65
    first, second = world.hop("127.0.0.2"), world.hop("127.0.0.3")
    world.names({"one.example": [(20, "two.one.example"), (10, "one.one.example")],
                 ("one.one.example", A): ["127.0.0.2"], ("two.one.example", A): ["127.0.0.3"]})
    server = world.serve(QUICK)
    submit(server, "b@one.example")
    eventually(lambda: first.mails, "the better one")
    assert not second.sessions
    first.close()
    # The kept connection to the first would still serve; a fresh start has none.
    assert server.stop() == 0
    server.start()
    submit(server, "b@one.example")
    eventually(lambda: second.mails, "the worse one")
    await_empty(server)


def test_null_mx_comes_back(world):                                     # 7505-1, 5321-75
    sink = world.hop("127.0.0.9")
    world.names({"none.example": [(0, ".")], "sender.example": "127.0.0.9"})
    server = world.serve(QUICK)
    submit(server, "b@none.example")
    report, = await_reports(sink)
    assert report.people[0]["Status"] == "5.1.10" and report.people[0]["Action"] == "failed"
    await_empty(server)


# ---- notifications ----

def three(world, script, **more):
    hop, sink = world.hop("127.0.0.2", script), world.hop("127.0.0.9")
    world.names({"one.example": "127.0.0.2", "sender.example": "127.0.0.9"})
    return hop, sink, world.serve(QUICK, **more)


def test_one_of_three_refused(world):           # 3464 2, 3461-6, 3834-5, 5321-55
    hop, sink, server = three(world, {"RCPT TO:<bad@one.example>": "550 5.1.1 no such (person)"})
    id = submit(server, ["b@one.example", ("bad@one.example", "ORCPT=rfc822;Bad+2Bx@one.example"), "c@one.example"],
                mail=["ENVID=QQ314159", "RET=HDRS"], content=LETTER + b"secret body\r\n")
    report, = await_reports(sink)
    message, bad = report.message, report.people[0]
    assert report.envelope.startswith("MAIL FROM:<>") and "RET=" not in report.envelope
    assert report.rcpts == ["RCPT TO:<alice@sender.example>"] or report.rcpts[0].startswith("RCPT TO:<alice@sender.example> ")
    assert message["Auto-Submitted"].startswith("auto-replied") and message["To"] == SENDER
    assert message["From"] and message["Date"] and message["Message-ID"] and message["MIME-Version"] == "1.0"
    assert report.about["Original-Envelope-Id"] == "QQ314159" and report.about["Reporting-MTA"].startswith("dns;")
    assert report.about["Arrival-Date"] and len(report.people) == 1
    assert bad["Final-Recipient"].replace(" ", "").lower() == "rfc822;bad@one.example"
    assert bad["Original-Recipient"].replace(" ", "") == "rfc822;Bad+x@one.example"
    assert (bad["Action"], bad["Status"]) == ("failed", "5.1.1")
    assert bad["Diagnostic-Code"].startswith("smtp; 550") and "no such" in bad["Diagnostic-Code"]
    assert bad["Remote-MTA"] == "dns; mx.one.example" and bad["Last-Attempt-Date"]
    assert report.original.get_content_type() == "text/rfc822-headers" and b"secret body" not in report.octets
    assert "Subject: the way" in report.original.as_string()
    (_, rcpts, content), = hop.mails
    assert [r.split(" ")[1] for r in rcpts] == ["TO:<b@one.example>", "TO:<c@one.example>"]
    assert content.endswith(b"\r\n.hello\r\nsecret body\r\n")
    await_empty(server)
    assert len(sink.mails) == 1 and len(server.events("delivered", id=id)) == 2


def test_never_means_never(world):                                      # 3461-9
    hop, sink, server = three(world, {"RCPT TO:<bad@one.example>": "550 5.1.1 no"})
    submit(server, [("bad@one.example", "NOTIFY=NEVER"), "b@one.example"])
    submit(server, [("bad@one.example", "NOTIFY=SUCCESS")])
    await_empty(server)
    time.sleep(0.3)
    assert len(hop.mails) == 1 and not sink.mails
    # The two may go over two connections, in either order.
    assert any("NOTIFY=NEVER" in line for talk in hop.sessions for line in talk.lines)


def test_success_is_told_by_who_can(world):                             # 3461-6, 3461-10
    hop, sink, server = three(world, {})
    submit(server, [("b@one.example", "NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;b@one.example")], mail=["ENVID=E1", "RET=FULL"])
    await_empty(server)
    # The next hop has DSN: it takes it over.
    envelope, rcpts, _ = hop.mails[0]
    assert "RET=FULL" in envelope and "ENVID=E1" in envelope
    assert "NOTIFY=SUCCESS,FAILURE" in rcpts[0] and "ORCPT=rfc822;b@one.example" in rcpts[0]
    assert not sink.mails
    assert server.stop() == 0
    hop.offers.remove("DSN")
    server.start()
    submit(server, [("b@one.example", "NOTIFY=SUCCESS")], mail=["ENVID=E2"])
    report, = await_reports(sink)
    assert report.people[0]["Action"] == "relayed" and report.people[0]["Status"].startswith("2.")
    assert report.about["Original-Envelope-Id"] == "E2" and "NOTIFY" not in hop.mails[1][1][0]


def test_nobody_is_told_of_the_empty_path(world):                       # 3461-10, 5321-51
    hop, sink, server = three(world, {"RCPT TO:<bad@one.example>": "550 5.1.1 no"})
    sink.script["RCPT"] = "550 5.1.1 gone"
    submit(server, "bad@one.example")
    eventually(lambda: len(server.events("failed")) == 2, "the end of the message and of its report")
    await_empty(server)
    assert not sink.mails and len(server.events("dsn")) == 1


# ---- again, and no more ----

def test_later_then_taken(world):                                       # 5321 4.5.4.1
    hop, _, server = three(world, {"RCPT TO:<b@one.example>": ["451 4.2.0 not now"], "DOT": ["451 4.3.0 disk"]})
    begin = time.monotonic()
    id = submit(server, ["b@one.example", "c@one.example"])
    eventually(lambda: len(server.events("delivered", id=id)) == 2, "both served", 15)
    assert time.monotonic() - begin < 8
    await_empty(server)
    assert sorted(r for _, rcpts, _ in hop.mails for r in rcpts)[0].startswith("RCPT TO:<b@")
    assert len([r for _, rcpts, _ in hop.mails for r in rcpts]) == 2


def test_expired(world):                                                # 5321-68
    hop, sink = world.hop("127.0.0.2", {"RCPT TO:<b@one.example>": "451 4.2.0 never now"}), world.hop("127.0.0.9")
    world.names({"one.example": "127.0.0.2", "sender.example": "127.0.0.9"})
    server = world.serve(QUICK + 'expire = "3 s"\ndelay-notice = "1 s"\n')
    submit(server, "b@one.example")
    late, over = await_reports(sink, 2)
    assert late.people[0]["Action"] == "delayed" and late.people[0]["Status"] == "4.2.0" and late.people[0]["Will-Retry-Until"]
    assert over.people[0]["Action"] == "failed" and over.people[0]["Status"] == "5.4.7"
    assert "never now" in str(over.words)
    await_empty(server)
    assert len(sink.mails) == 2 and len(server.events("expired")) == 1


# ---- postern queue ----

def test_queue_words(world):
    hop = world.hop("127.0.0.2", {"RCPT TO:<b@one.example>": "451 4.2.1 the box is locked"})
    world.names({"one.example": "127.0.0.2"})
    server = world.serve('retry-first = "1 h"\n')
    id = submit(server, ["b@one.example", "c@one.example"])
    eventually(lambda: server.events("deferred"), "the first try")
    eventually(lambda: waiting(server)[0]["waiting"] == 1, "the other one served")
    one, = waiting(server)
    assert one["id"] == id and one["recipients"] == 2 and one["attempts"] == 1 and one["next_try"].endswith("Z"), one
    assert id in queue(server, "list", "one.example") and id not in queue(server, "list", "elsewhere.example")
    assert "the box is locked" in queue(server, "list")
    people = {p["to"]: p for p in show(server, id)["to"]}
    assert people["b@one.example"]["state"] == "deferred" and people["c@one.example"]["state"] == "delivered", people
    assert "the box is locked" in queue(server, "show", id) and "mx.one.example [127.0.0.2]" in queue(server, "show", id)
    tries = len(server.events("deferred"))
    queue(server, "retry", id)
    eventually(lambda: len(server.events("deferred")) == tries + 1, "the asked-for try")
    queue(server, "retry", "all")
    eventually(lambda: len(server.events("deferred")) == tries + 2, "the asked-for try of all")
    queue(server, "drop", id)
    assert waiting(server) == [] and "no such message" in queue(server, "show", id, code=66)
    queue(server, "drop", id, code=66)
    assert server.stop() == 0
    assert "not running" in queue(server, "list", code=69)
    server.start()
    assert waiting(server) == []                # dropped is dropped, over a restart too
    assert len([r for _, rcpts, _ in hop.mails for r in rcpts]) == 1


def test_drop_while_it_is_being_delivered(world):
    hop = world.hop("127.0.0.2", slow=1)
    world.names({"one.example": "127.0.0.2"})
    server = world.serve(QUICK)
    id = submit(server, "b@one.example")
    eventually(lambda: in_content(hop), "the content with the next hop")
    queue(server, "drop", id)
    other = submit(server, "c@one.example")
    server.await_event("delivered", id=other)
    await_empty(server)
    assert not server.events("child-ended")


# ---- the end in the middle ----

def test_term_in_the_middle(world):     # a next hop that never answers: tests/regress/0008
    hop = world.hop("127.0.0.2", slow=1.5)
    world.names({"one.example": "127.0.0.2", "later.example": "127.0.0.3"})
    server = world.serve(QUICK)
    submit(server, "slow@one.example")
    submit(server, "b@later.example")
    eventually(lambda: in_content(hop) and server.events("deferred"), "the middle of it")
    begin = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begin < 10 and len(hop.mails) == 1
    later = world.hop("127.0.0.3")
    server.start()
    eventually(lambda: later.mails, "the rest")
    await_empty(server)
    # What could be finished was finished, once.
    assert len(hop.mails) == 1 and len(server.events("delivered")) == 2


# ---- damage, and no room ----

def test_damage_in_the_middle(world):
    world.names({("one.example", 15): "SERVFAIL"})
    server = world.serve(QUICK)
    ids = [submit(server, f"b{i}@one.example", content=LETTER + b"mark %d\r\n" % i) for i in range(5)]
    eventually(lambda: server.events("deferred"), "a try")
    assert server.stop() == 0
    segment, = [p for p in (server.state / "spool").glob("*.log") if b"mark 2\r\n" in p.read_bytes()]
    octets = bytearray(segment.read_bytes())
    at = octets.index(b"mark 2\r\n")
    octets[at:at + 8] = bytes(255 - b for b in octets[at:at + 8])
    segment.write_bytes(octets)
    server.write_config(f'relay = "maildir:{server.maildir}"\n' + QUICK)
    server.start()
    mails = b"".join(server.await_mails(4))
    await_empty(server)
    assert [b"mark %d\n" % i in mails for i in range(5)] == [True, True, False, True, True]
    assert list((server.state / "spool" / "damaged").iterdir())
    damaged, = server.events("damaged")
    assert damaged["file"].startswith("damaged/") and damaged["segment"] == "1"


def try_mail(server):
    with client(server) as smtp:
        return smtp.mail(SENDER)


def test_no_room(world):                                                # 5321-50
    elsewhere = world.make_server().maildir
    elsewhere.parent.mkdir()
    server = world.serve(QUICK + 'spool-free-min = "900 GiB"\n', relay=f"maildir:{elsewhere}")
    code, words = try_mail(server)
    assert code == 452 and words.startswith(b"4.3.1 "), words
    server.write_config(f'relay = "maildir:{server.maildir}"\nspool-free-min = 0\n')
    server.hup()
    eventually(lambda: try_mail(server)[0] == 250, "room again")
    submit(server, "b@one.example")
    server.await_mails()


def tmpfs(folder, size):
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
    return done.returncode == 0


def test_disk_really_full(world, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or not tmpfs(disk, "8m"):
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        server = world.serve(QUICK + f'spool-dir = "{disk}/spool"\nspool-free-min = "1 MiB"\nsegment-size = "1 MiB"\n')
        filler = disk / "filler"
        filler.write_bytes(b"x" * (15 << 19))
        eventually(lambda: try_mail(server)[0] == 452, "the want of room")
        filler.unlink()
        eventually(lambda: try_mail(server)[0] == 250, "room again")
        assert not server.events("child-ended")
        assert server.stop() == 0
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)
