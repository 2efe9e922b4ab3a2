"""sink - a next hop in Python that remembers which messages it took: the value of X-Number of each, and how often."""
import collections
import re
import socketserver
import threading


class Sink(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Conversation)
        self.port = self.server_address[1]
        self.taken = collections.Counter()
        self.lock = threading.Lock()
        self.slow = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self, content):
        match = re.search(rb"^X-Number: (\S+)\r$", content, re.M)
        with self.lock:
            self.taken[match.group(1).decode() if match else "?"] += 1


class Conversation(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def read_content(self):
        lines = []
        while True:
            line = self.rfile.readline()
            if not line:
                return None
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b".") else line)

    def handle(self):
        try:
            self.talk()
        except OSError:
            pass        # a relay that was killed leaves its connections cut

    def talk(self):
        self.say("220 sink.example.net ESMTP")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.say("250-sink.example.net\r\n250-PIPELINING\r\n250 8BITMIME")
            elif verb == b"DATA":
                self.say("354 go on")
                content = self.read_content()
                if content is None:
                    return
                # Counted before the reply, so that a copy whose 250 was lost shows as a duplicate, never as a loss.
                self.server.take(content)
                self.say("250 2.0.0 taken")
            elif verb == b"QUIT":
                self.say("221 2.0.0 bye")
                return
            else:
                self.say("250 2.0.0 ok")
