"""The process that examines a host ends in the middle: that is told, of the endpoint that it was at, and of no other."""
import json
import os
import pathlib
import signal
import subprocess

from peers import A, AAAA
from postern_server import POSTERN
from signed import SignedDns
from zoo import Animal, Habits, Talk

HOST = "mail.example.org"


class Fatal(Talk):
    """At the second address the examiner is ended when it has come for the twelfth time."""

    auditor, places = None, []

    def run(self):
        if self.habits.place not in Fatal.places:
            Fatal.places.append(self.habits.place)
        if self.habits.place in Fatal.places[1:] and self.number == 12:
            auditor = Fatal.auditor.pid
            child, = pathlib.Path(f"/proc/{auditor}/task/{auditor}/children").read_text().split()
            os.kill(int(child), signal.SIGKILL)
        super().run()


def test_the_examiner_dies(papers, monkeypatch):
    monkeypatch.setattr("zoo.Talk", Fatal)
    chain, key = papers.issue("breaks", names=f"DNS:{HOST}")
    dns = SignedDns({(HOST, A): ["127.0.0.1", "127.0.0.2"], (HOST, AAAA): []})
    with Animal(Habits(chain=chain, key=key, implicit=False)) as good, \
            Animal(Habits(chain=chain, key=key, implicit=False, place=("127.0.0.2", good.port))):
        command = [POSTERN, "audit", "--json", "--timeout", "2", "--ca-file", papers.ca, "--resolver", dns.server, "--trust-anchor", "/dev/null",
                   f"{HOST}:{good.port}/submission"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as Fatal.auditor:
            out, _ = Fatal.auditor.communicate(timeout=60)
    dns.close()
    first, second = json.loads(out)["targets"][0]["endpoints"]
    assert (first["grade"], second["grade"]) == ("A", None)
    assert "hostile" not in {f["id"] for f in first["findings"] + second["findings"]}
    broken_off = next(f for f in second["findings"] if f["id"] == "not-examined")
    assert "ended in the middle" in broken_off["evidence"] and "greeting" in second["facts"]
    assert Fatal.auditor.returncode == 2
