"""The unit for systemd: what it forbids beyond the cages, nobody of the server's needs (systemd.exec(5))."""
import ctypes
import ctypes.util
import errno
import os
import re
import shutil
import smtplib
import subprocess

import pytest
from postern_server import ROOT

UNIT = ROOT / "docs" / "systemd" / "postern.service"
ANALYZE = shutil.which("systemd-analyze")
ALLOW, ERRNO = 0x7FFF0000, 0x00050000       # libseccomp's SCMP_ACT_*


def forbidden():
    """The calls of the groups that SystemCallFilter= denies."""
    groups, = re.findall(r"^SystemCallFilter=~(.*)$", UNIT.read_text(), re.M)
    shown = subprocess.run([ANALYZE, "--no-pager", "syscall-filter", *groups.split()], check=True, capture_output=True, text=True).stdout
    return re.findall(r"^    (\w+)$", shown, re.M)


def forbid(calls):
    """A function that takes them from the process that calls it, and its children, as systemd does."""
    library = ctypes.CDLL(ctypes.util.find_library("seccomp"))
    library.seccomp_init.restype = ctypes.c_void_p
    numbers = [n for n in (library.seccomp_syscall_resolve_name(c.encode()) for c in calls) if n >= 0]

    def begin():
        filter_ = ctypes.c_void_p(library.seccomp_init(ALLOW))
        for number in numbers:
            assert library.seccomp_rule_add(filter_, ERRNO | errno.EPERM, number, 0) == 0
        assert library.seccomp_load(filter_) == 0
    return begin


@pytest.mark.skipif(ANALYZE is None, reason="needs systemd-analyze")
def test_its_filter_forbids_nothing_that_is_needed(make_server, monkeypatch):
    calls = forbidden()
    assert {"mount", "ptrace", "clock_settime", "init_module"} <= set(calls)
    popen, begin = subprocess.Popen, forbid(calls)
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: popen(*a, preexec_fn=begin, **k))
    # Who looks for leaks at the end of a process traces it.
    options = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "detect_leaks=0"]))
    one = make_server(config="fronts = 1\n", env={"ASAN_OPTIONS": options}).launch()
    monkeypatch.undo()
    one.await_event("ready")
    one.add_key()
    with smtplib.SMTP_SSL(one.host, one.submissions, timeout=20, context=one.context(), local_hostname="c.example.org") as smtp:
        smtp.login(one.login, one.key)
        smtp.sendmail("demo@mail.example.org", ["b@example.net"], b"From: demo@mail.example.org\r\nSubject: x\r\n\r\nx\r\n")
    one.await_mails()
    one.hup()
    one.await_event("reloaded")
    assert one.stop() == 0
    assert not one.events("child-ended")


@pytest.mark.skipif(ANALYZE is None, reason="needs systemd-analyze")
def test_systemd_knows_every_line(tmp_path):
    unit = tmp_path / "postern.service"
    unit.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text()))
    said = subprocess.run([ANALYZE, "--no-pager", "--man=no", "verify", unit], check=False, capture_output=True, text=True, timeout=60)
    assert "Unknown" not in said.stderr and "Failed" not in said.stderr and "postern.service:" not in said.stderr, said.stderr
