"""A submission server that says what a test wants on loopback, in clear or with a certificate, and remembers what it heard."""
import os
import socket
import ssl
import subprocess
import threading

from postern_server import POSTERN


class ScriptedServer:
    """with ScriptedServer(offers=[...], replies={...}) as server: one session after the other.

    tls: (chain, key) of a certificate for localhost; then submit() logs in as alice, and account says with which password
    replies: of an address (to its RCPT) or a verb; bytes with CRLF, or a function of what the session has heard so far
    sessions: the lines heard in each; messages: what was taken, with the lines of its envelope
    """

    def __init__(self, offers=(), replies=None, tls=None):
        self.offers, self.replies = list(offers), dict(replies or {})
        self.sessions, self.messages = [], []
        self.tls = tls
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(15)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thread.join(10)

    def _serve(self):
        for _ in range(50):
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            conn.settimeout(15)
            self.sessions.append([])
            try:
                if self.tls:
                    conn = self.context.wrap_socket(conn, server_side=True)
                with conn, conn.makefile("rb") as lines:
                    self._talk(lines, conn.sendall, self.sessions[-1])
            except OSError:
                pass

    def _ehlo(self):
        lines = ["here", *self.offers]
        return "".join(f"250{' ' if i + 1 == len(lines) else '-'}{line}\r\n" for i, line in enumerate(lines)).encode()

    def _talk(self, lines, say, heard):
        mail = None
        say(b"220 here\r\n")
        for octets in lines:
            line = octets.rstrip(b"\r\n").decode()
            heard.append(line)
            verb = line.split(" ")[0]
            address = line.split("<")[1].split(">")[0] if verb in ("MAIL", "RCPT") else verb
            reply = {"EHLO": self._ehlo(), "DATA": b"354 go\r\n", "QUIT": b"221 2.0.0 bye\r\n"}.get(verb, b"250 2.0.0 ok\r\n")
            reply = self.replies.get(verb, reply)
            reply = self.replies.get(address, reply) if verb == "RCPT" else reply
            reply = reply(heard) if callable(reply) else reply
            if not reply:
                return
            if verb == "MAIL":
                mail = {"from": address, "mail": line, "rcpt": []}
            if verb == "RCPT" and reply[:1] == b"2":
                mail["rcpt"].append(address)
            say(reply)
            if verb == "DATA" and reply[:1] == b"3":
                content = []
                for piece in lines:
                    if piece == b".\r\n":
                        break
                    content.append(piece[1:] if piece[:1] == b"." else piece)
                else:
                    return
                mail["content"] = b"".join(content)
                final = self.replies.get(".", b"250 2.0.0 taken\r\n")
                if not final:
                    return
                if final[:1] == b"2":
                    self.messages.append(mail)
                say(final)
            if verb == "QUIT":
                return


def submit(folder, server, *arguments, command="sendmail", account="", **more):
    """`postern sendmail ARGUMENTS` with an account for that server."""
    accounts = folder / "accounts"
    where = f'"submissions://localhost:{server.port}"\nuser = alice\nca = "{server.tls[0]}"' if server.tls else f'"smtp://127.0.0.1:{server.port}"'
    accounts.write_text(f'account default {{ server = {where}\nfrom = "alice@example.org"\n{account} }}\n')
    accounts.chmod(0o600)
    which = ["-C", str(accounts)] if command == "sendmail" else ["--accounts", str(accounts)]
    return subprocess.run([POSTERN, command, *which, *arguments], capture_output=True, timeout=30, check=False,
                          env=dict(os.environ, HOME=str(folder)), **more)
