"""Servers that greet late on purpose, as Postfix's postscreen does on port 25, and sendmail and Exim anywhere (RFC 5321 4.5.3.2.1)."""
import json
import time

import pytest
from postern_server import postern
from zoo import Animal, Habits, Talk

WAIT = 1.4  # seconds, where --timeout is 1


class Screen(Talk):
    """The first client waits between two lines of the greeting; who has waited is known."""

    def run(self):
        if self.number <= 1:
            self.sock.sendall(self.habits.greeting.replace(" ", "-", 1).encode() + b"\r\n")
            time.sleep(WAIT)
        super().run()


class Late(Talk):
    """Before the greeting, at first."""

    def run(self):
        time.sleep(WAIT if self.number == 1 else 0)
        super().run()


class Mute(Talk):
    """Accepts, and says nothing."""

    def run(self):
        self.sock.settimeout(4)
        self.sock.recv(1)


def examine(papers, monkeypatch, talk, service):
    monkeypatch.setattr("zoo.Talk", talk)
    chain, key = papers.issue("good")
    with Animal(Habits(chain=chain, key=key, implicit=False)) as animal:
        done = postern("audit", "--json", "--timeout", "1", "--ca-file", papers.ca, f"localhost:{animal.port}/{service}", timeout=60)
    endpoint, = json.loads(done.stdout)["targets"][0]["endpoints"]
    return done, endpoint, {f["id"] for f in endpoint["findings"] if f["severity"] not in ("good", "info", "low")}


@pytest.mark.parametrize(("talk", "service"), [(Screen, "smtp"), (Late, "submission")])
def test_late(papers, monkeypatch, talk, service):
    done, endpoint, bad = examine(papers, monkeypatch, talk, service)
    assert (endpoint["kind"], endpoint["grade"], bad, done.returncode) == ("SMTP with STARTTLS", "A", set(), 0), endpoint["findings"]
    assert endpoint["facts"]["starttls-tries"] == ["3 3"]


def test_mute(papers, monkeypatch):
    """Who says nothing is silent, and speaks no other protocol."""
    done, endpoint, bad = examine(papers, monkeypatch, Mute, "submission")
    assert (endpoint["kind"], endpoint["grade"], bad, done.returncode) == ("silent", None, {"silent"}, 2), endpoint["findings"]


class Once(Talk):
    """Forgets one client behind its EHLO."""

    def ehlo(self):
        if self.number == 4:
            self.sock.settimeout(4)
            self.sock.recv(1)
        super().ehlo()


def test_who_was_forgotten_was_not_offered_less(papers, monkeypatch):
    _, endpoint, bad = examine(papers, monkeypatch, Once, "smtp")
    assert "starttls-unsteady" not in bad, endpoint["facts"]["starttls-tries"]
