"""kept - what is left of a long test that failed: the server's log, below the build folder, and a few lines that say what is in it."""
import collections
import contextlib
import os
import pathlib
import shutil
import time

# Lines that explain a refusal or a connection that was cut, and the key that says why.
TOLD = {"put-off": "why", "message-refused": "why", "no-answer": "why", "not-signed": "why", "auth-crowded": "reason", "crowded": "what",
        "spool-state": "state", "front-broken": "why", "peer-broken": "why", "spool-broken": "why", "relay-broken": "why",
        "child-broken": "child", "child-hangs": "child", "child-ended": "child", "given-up": "why", "drain-cut": "why"}


def told(server):
    """One line for each reason: how often, which process answered or ended, which process it was about, why."""
    counted, when = collections.Counter(), {}
    for event in server.events():
        name = event.get("event")
        if name not in TOLD:
            continue
        about = event.get("process") or (f"{event['child']}:{event.get('slot')}" if "child" in event else "")
        why = event.get(TOLD[name], "") + "".join(f" {key}={event[key]}" for key in ("signal", "status", "by") if key in event)
        what = (name, event.get("proc", "?"), about, why)
        # put-off has its number in count, the others what was left out before this line.
        counted[what] += int(event.get("count") or 1 + int(event.get("unsaid") or 0))
        when.setdefault(what, event.get("ts", ""))
    return [f"{n:6} {name} said by {proc}{' of ' + about if about else ''}: {why} (first {when[name, proc, about, why]})"
            for (name, proc, about, why), n in counted.most_common()]


def folder():
    """Below the build that is tested, or where KEPT_LOGS says."""
    from postern_server import POSTERN  # the fixture may have changed it since we were read
    return pathlib.Path(os.environ.get("KEPT_LOGS") or pathlib.Path(POSTERN).resolve().parent / "kept")


@contextlib.contextmanager
def kept_log(server, name):
    """Whatever goes wrong inside: keep the log, and say where it is and who refused what."""
    try:
        yield
    except BaseException:
        place = folder() / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        place.parent.mkdir(parents=True, exist_ok=True)
        if server.log.exists():
            shutil.copyfile(server.log, place)
        print(f"\n{name}: the server's log is {place}", *told(server), sep="\n", flush=True)
        raise
