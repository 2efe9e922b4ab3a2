"""Everything that happens to a server, at once, and the books balance in the end: each recipient of what was acknowledged has it or its sender
has a report, not both, the history says the same, its webhook was told, and nothing is left (5321-47, 5321-26, 3461, 8058). All mail has been
through the content filter, and is signed.

Processes are killed and stopped, the configuration changes and is wrong, certificates are renewed, logins come and go, mail is held and
released, next hops, the filter and the receiver of webhooks are as tests/crash/moody.py has them. WEATHER_SECONDS, WEATHER_SEED (make soak: longer, with sanitizers).
"""
import collections
import json
import os
import random
import re
import shutil
import signal
import time

import honest
from kept import kept_log
from dkim_verify import records, verified
from moody import Filter, Hop, Receiver
from peers import A, MX, Dns
from postern_server import eventually, make_certificate, postern
from road import Report

SECONDS = float(os.environ.get("WEATHER_SECONDS", "8"))
SEED = int(os.environ.get("WEATHER_SEED", "0")) or random.randrange(1, 1 << 30)
ROLES = ("front", "signer", "auth", "spool", "relay", "history", "milter", "hook")
REPORT = re.compile(r"^.*(?:Sanitizer|runtime error:|Assertion|Bad system call|event=child-broken|event=child-hangs).*$", re.M)
DOMAINS = {"a.example": [(10, "h1.example"), (20, "h2.example")], "b.example": [(10, "h2.example")],
           "c.example": [(10, "nobody.example"), (20, "h3.example")], "null.example": [(0, "")],
           honest.FROM.partition("@")[2]: [(10, "h4.example")]}
HOSTS = {"h1.example": "127.0.10.1", "h2.example": "127.0.10.2", "h3.example": "127.0.10.3", "h4.example": "127.0.10.4",
         "nobody.example": "127.0.10.5"}
PEOPLE = [f"{who}{n}@{domain}" for who in ("ok", "ok", "later", "never") for n in range(6) for domain in ("a.example", "b.example", "c.example")]
NOWHERE = ["x@null.example", "x@missing.example"]
CONFIG = """
relay = "mx"
relay-port = {port}
dns-server = "{dns}"
mta-sts = no
habit-watch = no
retry-first = "1 s"
retry-max = "2 s"
segment-size = "1 MiB"
milter = "{milter}"
webhook = "http://127.0.0.1:{webhook}/events"
webhook-secret = "{secret}"
certificate {{ chain = "{chain}" key = "{key}" }}
"""
VARIATIONS = ("", "relay-connections = 20\n", "relay-concurrency = 1\n", 'size-max = "2 MiB"\n', 'spool-free-min = "900 TiB"\n', "nonsense = 1\n")


def fails(rcpt):
    return rcpt.startswith("never") or rcpt in NOWHERE


class Load(honest.Load):
    """Numbered messages to some of all people. rcpts: {number: those that were accepted}; ids: {number: queue id}."""

    def __init__(self, server):
        self.rcpts, self.ids = {}, {}
        super().__init__(server, pause=0.05)

    def people(self, number):
        mine = random.Random(f"{SEED} {number}")
        # Nobody twice: smtplib goes on to DATA when it has fewer names in its list of refusals than it named.
        return list(dict.fromkeys(mine.sample(PEOPLE + NOWHERE, mine.choice((1, 1, 2, 3, 8)))))

    def hand_over(self, smtp, number, content):
        people = self.people(number)
        refused = smtp.sendmail(honest.FROM, people, content)
        with self.lock:
            self.rcpts[number] = set(people) - set(refused)
            self.ids[number] = smtp.reply[1].decode().split()[-1]


class Weather:
    """What may happen; each is over when its call is."""

    def __init__(self, server, hops, dns, papers):
        self.server, self.hops, self.dns, self.papers = server, hops, dns, papers
        self.filter, self.receiver = Filter(), Receiver()
        self.live = server.folder / "live.pem", server.folder / "live-key.pem"
        secret = server.folder / "webhook-secret"
        secret.write_text("of no use to anybody else\n")
        secret.chmod(0o600)
        self.config = CONFIG.format(port=hops[0].port, dns=dns.server, chain=self.live[0], key=self.live[1], milter=self.filter.place,
                                    webhook=self.receiver.port, secret=secret)
        self.renew()
        # Clients trust both.
        server.ca = server.folder / "both.pem"
        server.ca.write_text("".join(chain.read_text() for chain, _ in papers))
        self.seen = collections.Counter()
        self.what = {self.kill: 6, self.pause: 3, self.reload: 3, self.renew: 1, self.hold: 1, self.retry: 1, self.ask: 1, self.login: 2,
                     self.hop_away: 2, self.dns_away: 2, self.stop: 1, self.kill_master: 1}

    def blow(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            one, = random.choices(list(self.what), list(self.what.values()))
            one()
            self.seen[one.__name__] += 1
            time.sleep(random.uniform(0.05, 0.5))
        self.server.write_config(self.config)
        self.server.hup()
        self.release()

    def signal(self, kind):
        """To one process of some role; its number, None when it was between two lives."""
        role = random.choice(ROLES)
        try:
            pid = next((pid for name, pid in self.server.children().items() if name.startswith(role)), None)
            if pid is not None:
                os.kill(pid, kind)
            return pid
        except ProcessLookupError:
            return None

    def kill(self):
        self.signal(signal.SIGKILL)

    def pause(self):
        pid = self.signal(signal.SIGSTOP)
        if pid is not None:
            time.sleep(random.uniform(0.1, 1.5))
            os.kill(pid, signal.SIGCONT)        # no other has its number: the master waits for it

    def begin_anew(self, end):
        self.server.write_config(self.config)
        end()
        self.server.start()

    def kill_master(self):
        self.begin_anew(lambda: (self.server.process.kill(), self.server.process.wait()))

    def stop(self):
        self.begin_anew(self.server.stop)

    def reload(self):
        self.server.write_config(self.config + random.choice(VARIATIONS))
        self.server.hup()

    def renew(self):
        for source, live in zip(random.choice(self.papers), self.live):
            shutil.copy(source, f"{live}.new")
            os.rename(f"{live}.new", live)

    def queue(self, *words):
        self.server.write_config(self.config)   # one that is wrong is refused by this command too
        return postern("queue", *words, *self.server.options)

    def hold(self):
        self.queue("hold", "--principal", self.server.login)
        time.sleep(random.uniform(0, 0.5))
        self.release()

    def release(self):
        eventually(lambda: self.queue("release", "--principal", self.server.login).returncode in (0, 66), "a release")

    def retry(self):
        self.queue("retry", "all")

    def ask(self):
        self.queue("list", "--json")
        self.queue("where", random.choice(PEOPLE), "--json")

    def login(self):
        name = f"user{random.randrange(20)}"
        postern("user", *random.choice([("add", name, "--address", f"{name}@mail.example.org"), ("revoke", name)]), *self.server.options)

    def calm_down(self):
        for one in [*self.hops, self.filter, self.receiver]:
            one.calm = True

    def hop_away(self):
        hop = random.choice(self.hops)
        hop.away = True
        time.sleep(random.uniform(0.1, 1.5))
        hop.away = False

    def dns_away(self):
        what = random.choice([("a.example", MX), ("b.example", MX), ("h2.example", A), ("h3.example", A)])
        answer, self.dns.records[what] = self.dns.records[what], random.choice(["SERVFAIL", "SILENCE"])
        time.sleep(random.uniform(0.1, 1.5))
        self.dns.records[what] = answer


class Books:
    """What was promised against what came."""

    def __init__(self, load, hops):
        self.load, self.hops, self.read, self.reported = load, hops, 0, set()

    def taken(self):
        taken = collections.Counter()
        for hop in self.hops:
            with hop.lock:
                taken.update(hop.taken)
        return taken

    def read_reports(self):
        reports = self.hops[-1].reports
        for octets in reports[self.read:]:
            report = Report((None, [], octets))
            number = re.search(rb"^X-Number: (\S+)\r$", octets, re.M).group(1).decode()
            self.reported |= {(number, one["Final-Recipient"].split(";")[1].strip()) for one in report.people if one["Action"] == "failed"}
            self.read += 1

    def wrong(self):
        """Where they do not balance."""
        self.read_reports()
        taken, wrong = self.taken(), []
        for number, rcpts in list(self.load.rcpts.items()):
            for rcpt in rcpts:
                arrived, reported = taken[number, rcpt] > 0, (number, rcpt) in self.reported
                if arrived == fails(rcpt) or reported != fails(rcpt):
                    wrong.append(f"{number} to {rcpt}, {self.load.ids[number]}: arrived {arrived}, reported {reported}")
        return wrong

    def settled(self, patience=60):
        """wrong(), when nothing gets better any more."""
        wrong, moved = self.wrong(), time.monotonic()
        while wrong and time.monotonic() < moved + patience:
            time.sleep(0.5)
            last, wrong = wrong, self.wrong()
            if len(wrong) < len(last):
                moved = time.monotonic()
        return wrong


def untold(receiver, load):
    """Whose end no webhook has told, or another one."""
    return [f"{load.ids[number]} to {rcpt}" for number, rcpts in load.rcpts.items() for rcpt in rcpts
            if receiver.ends[load.ids[number], rcpt] - {"deferred"} != {"bounced" if fails(rcpt) else "delivered"}]


def marks_say(server, hops, tmp_path):
    """Mail that is not marked, or whose signature is wrong."""
    known = records(server, honest.FROM.partition("@")[2])
    return [content for hop in hops for content in hop.unmarked] + [
        content for hop in hops for content in hop.samples if not all(verified(content, known, tmp_path).values())]


def history_says(server, load, most=25):
    """Where the history says something else; it may be behind for a moment."""
    wrong = []
    for number in random.sample(sorted(load.ids), min(most, len(load.ids))):
        def states(number=number):
            done = postern("queue", "where", load.ids[number], "--json", *server.options)
            found = {to["to"]: to["state"] for one in json.loads(done.stdout)["messages"] for to in one["to"]} if done.returncode == 0 else {}
            return all(found.get(rcpt) == ("bounced" if fails(rcpt) else "delivered") for rcpt in load.rcpts[number])
        try:
            eventually(states, "the history", 10)
        except AssertionError:
            wrong.append(load.ids[number])
    return wrong


def test_the_books_balance(make_server, tmp_path, record_property):
    random.seed(SEED)
    hops = [Hop("127.0.10.1")]
    hops += [Hop(f"127.0.10.{n}", hops[0].port) for n in (2, 3, 4)]
    dns = Dns({**{(name, MX): value for name, value in DOMAINS.items()}, **{(name, A): [value] for name, value in HOSTS.items()}})
    weather = Weather(make_server(config=""), hops, dns, [make_certificate(tmp_path, "mail.example.org", stem) for stem in ("one", "two")])
    with kept_log(weather.server, "weather"):
        through(weather, record_property)
    for one in [*hops, dns, weather.filter, weather.receiver]:
        one.close()


def through(weather, record_property):
    server = weather.server
    server.write_config(weather.config)
    assert postern("user", "domain", "add", honest.FROM.partition("@")[2], *server.options).returncode == 0
    weather.begin_anew(lambda: None)
    server.add_key()
    load = Load(server)
    load.begun()
    weather.blow(SECONDS)
    load.stop()
    weather.calm_down()
    books = Books(load, weather.hops)
    wrong, taken = books.settled(), books.taken()
    unasked = [f"{number} to {rcpt}" for number, rcpt in taken if rcpt != honest.FROM and rcpt not in load.people(number)]
    words = f"seed {SEED}, {dict(weather.seen)}, {len(load.ids)} acknowledged, {len(books.reported)} reported, {len(wrong)} wrong"
    print(words)
    record_property("weather", words)
    assert not wrong and not unasked, (words, wrong[:10], unasked[:10])
    assert len(load.ids) > SECONDS and len(books.reported) > SECONDS / 4, f"hardly any load: {words}"
    assert not load.permanent, f"nothing of this is a reason for a permanent refusal: {load.permanent[:5]}"
    eventually(lambda: json.loads(weather.queue("list", "--json").stdout) == [], "an empty queue")
    assert history_says(server, load) == [], words
    assert marks_say(server, weather.hops, server.folder)[:1] == [], words
    eventually(lambda: not untold(weather.receiver, load), "an event of each end")
    assert server.stop() == 0
    assert not REPORT.findall(server.log.read_text(errors="replace")), words
