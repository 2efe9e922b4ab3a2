"""The cages of a running server, seen from /proc, and what is said of them. tests/cage/test_hostile.c tries to get out."""
import ctypes
import grp
import os
import pathlib
import pwd
import re
import resource
import shutil
import signal
import smtplib
import struct
import subprocess
import tempfile
import time

import pytest

from postern_server import POSTERN, ROOT, eventually, postern
from mmdb import database

ROOTED = os.geteuid() == 0
SANITIZED = b"__asan_init" in pathlib.Path(POSTERN).read_bytes()
pytestmark = pytest.mark.skipif(SANITIZED, reason="a build with sanitizers is not caged")


def status(pid):
    """/proc/PID/status as a dictionary of text."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}


def submit(one, body="x"):
    with smtplib.SMTP_SSL(one.host, one.submissions, timeout=20, context=one.context(), local_hostname="c.example.org") as smtp:
        smtp.login(one.login, one.key)
        smtp.sendmail(f"a@{one.hostname}", ["b@example.net"], f"From: a@{one.hostname}\r\nSubject: s\r\n\r\n{body}\r\n")


def assert_caged(pid):
    s = status(pid)
    assert [s[f"Cap{k}"] for k in ("Inh", "Prm", "Eff", "Amb")] == ["0" * 16] * 4
    assert s["CapBnd"] == "0" * 16 or not ROOTED
    assert (s["NoNewPrivs"], s["Seccomp"]) == ("1", "2")
    # Threads that were started later are inside too.
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        assert "Seccomp:\t2" in (task / "status").read_text()
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core")] == [["0", "0"]]


def test_every_child_is_caged(server):
    submit(server)
    server.await_mails()
    children = server.children()
    assert {name.split(":")[0] for name in children} == {"spool", "signer", "auth", "relay", "front", "history"}
    for pid in children.values():
        assert_caged(pid)


def test_master_keeps_little(server):
    s = status(server.process.pid)
    assert s["NoNewPrivs"] == "1"
    # chown, dac_override, dac_read_search, fowner, kill, setgid, setuid, setpcap, net_bind_service, sys_resource
    assert int(s["CapEff"], 16) & ~0x10005EF == 0
    assert int(s["CapBnd"], 16) & ~0x10005EF == 0 or not ROOTED


def test_no_descriptor_that_was_not_given(make_server):
    one = make_server()
    left = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(left, True)
    try:
        with one.log.open("a") as log, one.out.open("w") as out:
            one.process = subprocess.Popen([POSTERN, "serve", *one.options, *one.arguments()], stdout=out, stderr=log, close_fds=False)
        eventually(lambda: "event=ready" in one.log.read_text(), "the start")
        for pid in one.children().values():
            targets = [os.readlink(f) for f in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
            assert "/etc/hostname" not in targets
    finally:
        os.close(left)
    assert one.stop() == 0


def test_restarted_child_is_caged(server):
    before = server.children()
    for name in ("spool:0", "front:0", "auth:0", "relay:0"):
        os.kill(before[name], signal.SIGKILL)
    eventually(lambda: len(server.children()) == len(before) and
               all(server.children().get(n) not in (None, before[n]) for n in ("spool:0", "front:0", "auth:0", "relay:0")), "all again")
    # There is not yet at work: a front that has just begun takes no mail before the spool has told it how it is.
    server.await_event("child-ready", 4)
    submit(server)
    server.await_mails()
    for pid in server.children().values():
        assert_caged(pid)


def test_off_is_said(make_server):
    one = make_server(sets=["sandbox=off"]).start()
    assert "event=cage-off" in one.log.read_text()
    # One of its own, which every process begins with: it takes no cage to do without io_uring (regress 0496).
    assert int(status(one.children()["front:0"])["Seccomp_filters"]) == int(status(one.process.pid)["Seccomp_filters"]) + 1
    assert one.stop() == 0


def test_check_shows_it(tmp_path):
    done = postern("check", "--state", tmp_path / "state")
    assert done.returncode == 0 and "\nsandbox      Landlock ABI " in done.stdout, done.stdout
    done = postern("check", "--state", tmp_path / "state", "--set", "sandbox=off")
    assert "\nsandbox      off" in done.stdout
    assert postern("check", "--state", tmp_path / "state", "--set", "sandbox=perhaps").returncode != 0


def test_memory_of_secrets_is_locked(server):
    unlimited = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] == resource.RLIM_INFINITY
    if not ROOTED or not (unlimited or int(status(server.process.pid)["CapEff"], 16) >> 24 & 1):
        pytest.skip("needs CAP_SYS_RESOURCE, or an unlimited RLIMIT_MEMLOCK")
    submit(server)
    for name, pid in server.children().items():
        locked = int(status(pid)["VmLck"].split()[0])
        # The spool has mail, which lies on the disk anyway.
        assert (locked == 0) == name.startswith("spool"), (name, locked)


# ---- a kernel that cannot keep all of it ----

# linux/seccomp.h and linux/filter.h: system calls that this kernel does not have, as far as what we start can tell.
LANDLOCK_CREATE_RULESET, SECCOMP, ENOSYS = 444, 317, 38


def without(*calls):
    """For preexec_fn: from here on these calls are unknown to the kernel. They are called through another one, which stays."""
    load, is_equal, give = 0x20, 0x15, 0x06
    code = [(load, 0, 0, 0)]
    for call in calls:
        code += [(is_equal, 0, 1, call), (give, 0, 0, 0x00050000 | ENOSYS)]
    code += [(give, 0, 0, 0x7fff0000)]
    octets = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *line) for line in code))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(octets)))

    def install():
        libc = ctypes.CDLL(None, use_errno=True)
        assert octets           # program points into it
        if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, program, 0, 0) != 0:    # NO_NEW_PRIVS, SECCOMP as a filter
            os._exit(99)

    return install


MISSING = {
    "landlock": ([LANDLOCK_CREATE_RULESET], ["files: this kernel has no Landlock"]),
    "seccomp": ([SECCOMP], ["calls: this kernel has no seccomp filters"]),
    "both": ([LANDLOCK_CREATE_RULESET, SECCOMP], ["files: this kernel has no Landlock", "calls: this kernel has no seccomp filters"]),
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers above are those of x86-64")
@pytest.mark.parametrize("what", MISSING)
def test_missing_parts_are_named(make_server, tmp_path, what):
    calls, words = MISSING[what]
    done = postern("check", "--state", tmp_path / "state", "--set", "sandbox=required", preexec_fn=without(*calls))
    assert done.returncode == 0
    missing = next(line for line in done.stdout.splitlines() if line.startswith("sandbox"))
    assert all(w in missing for w in words), missing
    assert "postern serve refuses to start so" in done.stdout
    # And so it does; with less it starts and says what is open.
    for sandbox in ("required", "best"):
        one = make_server(sets=[f"sandbox={sandbox}"])
        with one.log.open("a") as log, one.out.open("w") as out:
            one.process = subprocess.Popen([POSTERN, "serve", *one.options, *one.arguments()], stdout=out, stderr=log,
                                           preexec_fn=without(*calls))
        if sandbox == "required":
            assert one.process.wait(30) == 78
            assert "event=cage-refused" in one.log.read_text()
            continue
        one.await_event("ready")
        text = one.log.read_text()
        assert all(w.split(":")[0] + ":" in text for w in words) and "event=cage-open" in text
        assert one.stop() == 0


# ---- started as root ----

def test_check_says_who_stays_root(tmp_path):
    if not ROOTED or any(u.pw_name.startswith("postern") for u in pwd.getpwall()):
        pytest.skip("needs root, and a machine without our users")
    done = postern("check", "--state", tmp_path / "state")
    assert {m[1] for m in re.finditer(r"^ +(\w+) +stays root: there is no user postern", done.stdout, re.M)} == \
        {"front", "signer", "auth", "spool", "relay", "history", "hook"}, done.stdout


def test_check_says_who_becomes_whom(people):
    prefix, place = people
    done = subprocess.run([*prefix, POSTERN, "check", "--state", str(place / "state"), "--set", "milter=inet:127.0.0.1:1"], check=True, capture_output=True, text=True)
    assert dict(re.findall(r"^ +(\w+) +becomes (\S+)$", done.stdout, re.M)) == {n.split("-")[1]: n for n in USERS}, done.stdout


def test_sysusers_file_makes_just_these():
    lines = (ROOT / "docs" / "systemd" / "postern.sysusers").read_text().splitlines()
    made = {line.split()[1] for line in lines if line.startswith("u")}
    assert made == set(USERS) | {"postern"}
    # Nobody of them can log in or owns anything.
    assert all(re.fullmatch(r'u!? +\S+ +- +"[^"]+"( +- +/usr/sbin/nologin)?', line) for line in lines if line.startswith("u"))


USERS = {"postern-front": 64101, "postern-auth": 64102, "postern-spool": 64103, "postern-relay": 64104,
         "postern-signer": 64105, "postern-milter": 64106, "postern-history": 64107, "postern-hook": 64108}


@pytest.fixture
def people(tmp_path):
    """A command prefix under which the users exist, in a mount namespace of its own, and a place that they can reach."""
    if not ROOTED or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare(1)")
    for path, line in (("passwd", "{0}:x:{1}:{1}::/nonexistent:/bin/false\n"), ("group", "{0}:x:{1}:\n")):
        text = "".join(l for l in pathlib.Path(f"/etc/{path}").read_text().splitlines(True) if not l.startswith("postern"))
        (tmp_path / path).write_text(text + "".join(line.format(n, i) for n, i in USERS.items()))
    script = tmp_path / "within"
    script.write_text(f"#!/bin/sh\nmount --bind {tmp_path}/passwd /etc/passwd && mount --bind {tmp_path}/group /etc/group && exec \"$@\"\n")
    script.chmod(0o755)
    prefix = ["unshare", "--mount", str(script)]
    if subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no mount namespace here")
    place = pathlib.Path(tempfile.mkdtemp(prefix="cage-", dir="/tmp"))
    place.chmod(0o711)
    yield prefix, place
    shutil.rmtree(place)


@pytest.mark.parametrize("again", [False, True])
def test_each_has_its_own_identity(make_server, people, again):
    prefix, place = people
    one = make_server(sets=["sandbox=required"])
    one.state, one.maildir, one.ca = place / "state", place / "state" / "Maildir", place / "state" / "tls" / "ca.pem"
    if again:
        # It ran before as root alone: what is there changes hands.
        one.sets = ["sandbox=best"]
        one.start()
        submit(one)
        one.await_mails()
        assert one.stop() == 0
        one.sets = ["sandbox=required"]
        one.log.unlink()
    one.start(prefix)
    children = one.children()
    for name, pid in children.items():
        uid = USERS["postern-" + name.split(":")[0]]
        assert status(pid)["Uid"].split() == status(pid)["Gid"].split() == [str(uid)] * 4
        assert status(pid)["Groups"].split() in ([str(uid)], [])
        assert_caged(pid)
    submit(one)
    one.await_mails(2 if again else 1)
    owners = {name: (one.state / name).stat().st_uid for name in ("spool", "auth", "auth/users", "Maildir", "Maildir/new")}
    assert owners == {"spool": 64103, "auth": 64102, "auth/users": 64102, "Maildir": 64104, "Maildir/new": 64104}
    assert (one.state / "tls" / "key.pem").stat().st_uid == 0
    # A child that died comes back, as the same user.
    os.kill(children["auth:0"], signal.SIGKILL)
    eventually(lambda: one.children().get("auth:0") not in (None, children["auth:0"]), "auth again")
    eventually(lambda: status(one.children()["auth:0"])["Uid"].split()[0] == "64102", "its identity")
    eventually(lambda: status(one.children()["auth:0"])["Seccomp"] == "2", "its cage")
    submit(one)
    one.await_mails(3 if again else 2)
    # What root's `postern user` writes its process can read.
    made = subprocess.run([*prefix, POSTERN, "user", "key", *one.options, "demo", "second"], check=True, capture_output=True, text=True)
    one.key = re.search(r"[0-9a-z]{4}(?:-[0-9a-z]{4}){6}", made.stdout).group(0)
    time.sleep(1.5)
    submit(one)
    one.await_mails(4 if again else 3)
    assert one.stop() == 0


def test_accounts_beside_the_configuration(people):
    """Regress 0514: users-file as its manual has it, and a passwd-file of another program's: postern-auth reads both, or it is said."""
    prefix, place = people
    place.chmod(0o755)
    conf, users, passwd = place / "postern.conf", place / "users", place / "passwd"
    conf.write_text(f'hostname = "mail.example.org"\nstate-dir = "{place}/state"\nusers-file = "{users}"\n')

    def run(*words, status=0):
        done = subprocess.run([*prefix, POSTERN, *words, "--config", conf], check=False, capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stderr

    run("user", "add", "alice", "--address", "alice@example.org")
    assert users.stat().st_uid == USERS["postern-auth"] and users.stat().st_mode & 0o777 == 0o600
    run("user", "key", "alice", "laptop")
    assert users.stat().st_uid == USERS["postern-auth"]
    run("check")
    with conf.open("a") as more:
        more.write(f'passwd-file = "{passwd}"\n')
    passwd.write_text("")
    passwd.chmod(0o600)
    words = run("check", status=78)
    assert f"{conf}:4: " in words and str(passwd) in words and "postern-auth" in words and "chgrp" in words, words
    passwd.chmod(0o640)
    os.chown(passwd, 0, USERS["postern-auth"])
    run("check")
    os.chown(users, 0, 0)
    words = run("check", status=78)
    assert f"{conf}:3: " in words and f"chown postern-auth {users}" in words, words
    # Made by nobody yet it is no reason to refuse.
    users.unlink()
    run("check")


def test_what_the_relay_reads(people):
    """Regress 0510: a CA file that postern-relay may not read is named before mail waits for it."""
    prefix, place = people
    place.chmod(0o755)
    anchors = place / "ca.pem"
    anchors.write_text("")
    anchors.chmod(0o600)
    done = subprocess.run([*prefix, POSTERN, "check", "--state", place / "state", "--set", f"relay-ca-file={anchors}"],
                          check=False, capture_output=True, text=True)
    assert done.returncode == 78 and "postern-relay" in done.stderr and str(anchors) in done.stderr, done.stderr


def test_an_alarm_that_nobody_may_run(people):
    """Regress 0518: alarm-command is never run as root, so that root may run it says nothing."""
    prefix, place = people
    place.chmod(0o755)
    program = place / "alarm"
    program.write_text("#!/bin/sh\n")

    def check():
        return subprocess.run([*prefix, POSTERN, "check", "--state", place / "state", "--set", f"alarm-command={program}"],
                              check=False, capture_output=True, text=True)

    program.chmod(0o700)
    done = check()
    assert done.returncode == 78 and f"{program}: nobody may not run it" in done.stderr and "chmod 755" in done.stderr, done.stderr
    program.chmod(0o755)
    assert check().returncode == 0


def test_hostile_children_with_an_identity(people):
    prefix, _ = people
    program = pathlib.Path(POSTERN).parent / "tests" / "cage" / "test_hostile"
    if not program.exists():
        pytest.skip("not built")
    done = subprocess.run([*prefix, str(program)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_required_wants_the_users(make_server):
    if not ROOTED or any(u.pw_name.startswith("postern") for u in pwd.getpwall()):
        pytest.skip("needs root, and a machine without our users")
    one = make_server(sets=["sandbox=required"])
    one.launch()
    assert one.process.wait(30) == 78
    assert "event=cage-refused" in one.log.read_text() and "no user postern" in one.log.read_text()


def test_missing_users_are_said_by_default(make_server):
    if not ROOTED or any(g.gr_name.startswith("postern") for g in grp.getgrall()):
        pytest.skip("needs root, and a machine without our users")
    one = make_server().start()
    assert "event=cage-open" in one.log.read_text()
    assert one.stop() == 0


# ---- a cage is never widened ----

def test_another_maildir_takes_another_relay(make_server, tmp_path):
    one = make_server(config="").start()
    one.add_key()
    submit(one)
    one.await_mails()
    before = one.children()
    one.maildir = tmp_path / "elsewhere"
    one.write_config()
    one.hup()
    one.await_event("reloaded")
    eventually(lambda: one.children().get("relay:0") not in (None, before["relay:0"]), "another relay")
    submit(one)
    one.await_mails()
    after = one.children()
    assert {n: p for n, p in after.items() if n != "relay:0"} == {n: p for n, p in before.items() if n != "relay:0"}
    assert one.stop() == 0


def test_the_country_database_is_read_from_within(make_server, people):
    prefix, place = people
    countries = place / "countries"
    countries.mkdir()
    countries.chmod(0o755)
    file = countries / "a.mmdb"
    file.write_bytes(database({"192.0.2.0/24": "DE"}))
    one = make_server(sets=["sandbox=required", f"country-database={file}"])
    one.state, one.maildir, one.ca = place / "state", place / "state" / "Maildir", place / "state" / "tls" / "ca.pem"
    one.start(prefix)
    one.await_event("country-database", file=file)
    assert_caged(one.children()["auth:0"])
    (countries / "b.mmdb").write_bytes(database({"192.0.2.0/24": "AT", "2001:db8::/32": "CH"}))
    (countries / "b.mmdb").replace(file)
    one.hup()
    one.await_event("country-database", count=2)
    submit(one)
    one.await_mails()
    assert one.stop() == 0


def test_another_users_file_waits_for_the_next_start(make_server, tmp_path):
    one = make_server(config="").start()
    one.add_key()
    one.write_config(f'users-file = "{tmp_path}/users"\n')
    one.hup()
    kept = one.await_event("reload-kept")
    assert kept["key"] == "users-file"
    submit(one)
    assert one.stop() == 0


def small_lock():
    """No more than 64 KiB may be locked, and nobody here can change that."""
    ctypes.CDLL(None).prctl(24, 24, 0, 0, 0)        # PR_CAPBSET_DROP, CAP_SYS_RESOURCE
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))


def test_memory_that_cannot_be_locked_is_said(make_server, tmp_path):
    """What holds secrets may go to swap then: by check, and at the start. tests/regress/0384"""
    done = postern("check", "--state", tmp_path / "state", preexec_fn=small_lock)
    assert done.returncode == 0
    assert re.search(r"^ +memory is not locked: .*LimitMEMLOCK=infinity", done.stdout, re.M), done.stdout
    one = make_server(sets=["sandbox=best"])
    with one.log.open("a") as log, one.out.open("w") as out:
        one.process = subprocess.Popen([POSTERN, "serve", *one.options, *one.arguments()], stdout=out, stderr=log, preexec_fn=small_lock)
    one.await_event("ready")
    (said,) = one.events("memory-unlocked")
    assert said["level"] == "warn" and "swap" in said["why"]
    assert one.stop() == 0
