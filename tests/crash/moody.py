"""moody - next hops as the world has them: they are busy, slow or gone, say later, say never, hang up in the middle, and lose their 250;
a content filter and a webhook's receiver of the same kind.

Whom they are asked for says what becomes of it in the end: never...@ is refused for good, later...@ often put off, others are taken.
"""
import collections
import json
import random
import re
import threading
import time

from listeners import HttpsServer, Listener, response
from milters import Milter, add, packet

NUMBER = re.compile(rb"^X-Number: (\S+)\r$", re.M)
SAMPLES = 5


class Hop(Listener):
    """taken: how often each (X-Number, recipient) was; reports: the content of those that are some; unmarked: that of mail which has not been
    through the filter, or has no signature; samples: that of some mail. calm: no moods any more."""

    def __init__(self, address, port=0):
        self.taken, self.reports, self.unmarked, self.samples = collections.Counter(), [], [], []
        self.calm, self.away, self.lock = False, False, threading.Lock()
        super().__init__(address, port)

    def serve(self, s):
        try:
            s.settimeout(30)
            with s.makefile("rb") as lines:
                if not self.away and not self.moody(0.03):
                    Talk(self, s, lines).run()
        except OSError:
            pass        # a relay that was killed leaves its connections cut
        finally:
            s.close()

    def moody(self, chance):
        return not self.calm and random.random() < chance

    def take(self, rcpts, content):
        number = NUMBER.search(content)
        with self.lock:
            self.taken.update((number.group(1).decode() if number else "?", rcpt) for rcpt in rcpts)
            if b"multipart/report" in content:
                self.reports.append(content)
            elif not (Filter.MARK in content and b"DKIM-Signature:" in content):
                self.unmarked.append(content)
            elif len(self.samples) < SAMPLES:
                self.samples.append(content)


class HangUp(OSError):
    """A hop that has had enough."""


class Talk:
    def __init__(self, hop, s, lines):
        self.hop, self.s, self.lines = hop, s, lines
        self.sender, self.rcpts = False, []

    def say(self, text):
        self.s.sendall(text.encode() + b"\r\n")

    def hang_up(self, chance):
        if self.hop.moody(chance):
            raise HangUp

    def run(self):
        self.say("421 4.3.2 busy" if self.hop.moody(0.03) else "220 hop.example ESMTP")
        answers = {b"EHLO": self.on_ehlo, b"MAIL": self.on_mail, b"RCPT": self.on_rcpt, b"DATA": self.on_data}
        for line in self.lines:
            self.hang_up(0.01)
            if self.hop.moody(0.02):
                time.sleep(random.uniform(0, 1))
            answers.get(line[:4].upper(), lambda line: self.say("250 2.0.0 ok"))(line)
            if line[:4].upper() == b"QUIT":
                return

    def on_ehlo(self, line):
        more = ["DSN", "ENHANCEDSTATUSCODES", "8BITMIME"] if random.random() < 0.5 else ["8BITMIME"]
        self.say("\r\n".join(f"250-{word}" for word in ["hop.example", "PIPELINING", *more][:-1]) + f"\r\n250 {more[-1]}")

    def on_mail(self, line):
        self.sender, self.rcpts = not self.hop.moody(0.02), []
        self.say("250 2.1.0 ok" if self.sender else "451 4.3.0 not now")

    def on_rcpt(self, line):
        rcpt = re.search(rb"<(.*?)>", line).group(1).decode()
        if not self.sender:
            self.say("503 5.5.1 no sender")
        elif rcpt.startswith("never"):
            self.say("550 5.1.1 no such user")
        elif self.hop.moody(0.6 if rcpt.startswith("later") else 0.02):
            self.say("450 4.2.1 later")
        else:
            self.rcpts.append(rcpt)
            self.say("250 2.1.5 ok")

    def on_data(self, line):
        if not self.rcpts:
            self.say("554 5.5.1 no recipients")
            return
        self.say("354 go on")
        content = b""
        for line in self.lines:
            if line == b".\r\n":
                break
            content += line[1:] if line.startswith(b".") else line
        else:
            raise HangUp
        self.hang_up(0.01)
        if self.hop.moody(0.03):
            self.say("451 4.3.0 try again")
            return
        self.hop.take(self.rcpts, content)
        self.hang_up(0.01)              # taken, and the 250 is lost
        self.say("250 2.0.0 taken")


class Filter(Milter):
    """Marks all mail."""
    MARK = b"X-Filtered: yes\r\n"

    def __init__(self):
        self.calm = False
        super().__init__(answers={b"R": lambda *_: self.go_on(b""), b"E": lambda *_: self.go_on(add(b"X-Filtered", b"yes"))})

    def go_on(self, said):
        """None hangs up."""
        mood = 1 if self.calm else random.random()
        if mood < 0.02:
            time.sleep(random.uniform(0, 1))
        return None if mood < 0.01 else packet(b"t") if mood < 0.03 else said + packet(b"c")


class Receiver(Listener):
    """Of webhooks. ends: {(queue id, recipient): types of the events}"""

    def __init__(self):
        self.calm, self.ends = False, collections.defaultdict(set)
        super().__init__()

    def serve(self, s):
        try:
            s.settimeout(10)
            _, body = HttpsServer.request(s)
            event, mood = json.loads(body), 1 if self.calm else random.random()
            if mood > 0.1:
                self.ends[event["id"], event.get("to")].add(event["type"])
            if mood > 0.05:             # or it is taken, and nobody hears of it
                s.sendall(response("503 Busy" if mood < 0.1 else "204 No Content", more="Connection: close\r\n"))
        except (OSError, ValueError):
            pass
        finally:
            s.close()
