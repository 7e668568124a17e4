"""The processes below this one, orphans included: this process takes them in, so nothing that it started gets lost."""
import ctypes
import os
import signal
import time

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


class Process:
    """One line of /proc; pid and start together name a process for good."""

    def __init__(self, pid):
        with open("/proc/%d/stat" % pid, encoding="latin-1") as file:
            text = file.read()
        self.pid = pid
        self.name = text[text.index("(") + 1:text.rindex(")")]
        rest = text[text.rindex(")") + 2:].split()
        self.state, self.parent, self.start = rest[0], int(rest[1]), int(rest[19])

    def command(self):
        try:
            with open("/proc/%d/cmdline" % self.pid, "rb") as file:
                return file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def __str__(self):
        return "%d %s [%s] of %d: %s" % (self.pid, self.name, self.state, self.parent, self.command()[:100])


def all_processes():
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found[int(name)] = Process(int(name))
            except (OSError, ValueError):
                pass
    return found


def below(root, zombies=False):
    """Every living process below root."""
    processes = all_processes()
    children = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process)
    found, open_ends = [], [root]
    while open_ends:
        for child in children.get(open_ends.pop(), []):
            open_ends.append(child.pid)
            if zombies or child.state not in "ZX":
                found.append(child)
    return found


def reap(known):
    """Ends orphans that have died; known are the pids that somebody else waits for."""
    for process in all_processes().values():
        if process.parent == os.getpid() and process.state == "Z" and process.pid not in known:
            try:
                os.waitpid(process.pid, os.WNOHANG)
            except ChildProcessError:
                pass


def kill_below(root):
    """Ends whatever is still there, after a failure; only what descends from root."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        left = below(root)
        if not left:
            return
        for process in left:
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.05)
