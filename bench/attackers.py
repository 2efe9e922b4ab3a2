"""attackers - bench/siege as an object: start it, look at its figures, stop it. For bench/siege_run and tests/crash."""
import pathlib
import resource
import subprocess

HONEST_NET = 200        # the honest come from 127.200.0.0/16, attackers from 127.0.0.0/16


def value_of(arguments, name):
    return next((int(a.split("=")[1]) for a in arguments if a.startswith(name + "=")), 0)


def figures_of(line):
    return {key: float(value) for key, value in (pair.split("=") for pair in line.split()) if key != "attack"}


def add_up(many):
    return {key: sum(figures[key] for figures in many) for key in many[0]}


class Siege:
    """One attack, in as many processes as the limit of open files takes. Ends by itself after `seconds`, earlier at stop().

    build      the folder with bench/siege below it
    server     a tests/postern_server.Server
    login      "login:password", for attacks that log in, and the login that is guessed at
    arguments  key=value as bench/siege has them
    """

    def __init__(self, build, server, attack, login, arguments, seconds, net=0):
        self.wanted = value_of(arguments, "connections") or 200
        rate, room = value_of(arguments, "rate") or 1000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100
        parts = -(-self.wanted // room)
        command = [pathlib.Path(build) / "bench/siege", attack, server.hostname, str(server.submissions), str(server.submission),
                   str(server.ca), login, f"postmaster@{server.hostname}", f"seconds={int(seconds)}", f"net={net}", *arguments,
                   f"connections={self.wanted // parts}", f"rate={max(1, rate // parts)}"]
        self.parts = [subprocess.Popen([*command, f"seed={part + 1}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                      for part in range(parts)]

    def look(self):
        """The figures as they are now; only while it runs."""
        for part in self.parts:
            part.stdin.write("?")
            part.stdin.flush()
        return add_up([figures_of(part.stdout.readline()) for part in self.parts])

    def stop(self):
        """The last figures."""
        for part in self.parts:
            part.stdin.close()
        lines = [part.stdout.read().splitlines() for part in self.parts]
        for part in self.parts:
            part.stdout.close()
            part.wait(30)
            if part.returncode not in (0, 1):
                raise RuntimeError(f"{' '.join(map(str, part.args[:2]))} ended with {part.returncode}")
        return add_up([figures_of(said[-1]) for said in lines])

    def end(self):
        """For who no longer wants figures; does nothing after stop()."""
        for part in self.parts:
            if part.poll() is None:
                part.kill()
                part.wait()


def honest(build, server, login, seconds, every=50):
    """An honest client that connects anew for each message, one every so many ms."""
    return Siege(build, server, "probe", login, ["connections=500", f"every={every}"], seconds, net=HONEST_NET)


def resident(server):
    """{"front:0": KiB resident, ..., "master:0": ...}"""
    found = {}
    for name, pid in {**server.children(), "master:0": server.process.pid}.items():
        try:
            text = pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue        # it has ended since
        if "VmRSS:" in text:
            found[name] = int(text.split("VmRSS:")[1].split()[0])
    return found
