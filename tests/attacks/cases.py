"""Runs every case_* of the modules beside it against one coordinator."""

import contextlib
import inspect
import os
import shutil
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../coordinator"))

import cases_content  # noqa: E402
import cases_server  # noqa: E402
import cases_session  # noqa: E402
from browser import Visitor  # noqa: E402
from client import TOKEN, Coordinator, Runner, Tree, die_with_parent  # noqa: E402

PASSWORD = "a password of ours"
ROOT_PASSWORD = "the password of root"


class Server(Coordinator):
    def __init__(self, program, directory, *arguments, level="info"):
        super().__init__(program, directory, *arguments)
        self.environment.update(FORERUNNER_ROOT_PASSWORD=ROOT_PASSWORD, LOG_LEVEL=level)

    def start(self):
        super().start()
        # Every case signs in from the same address.
        self.api("PUT", "application/settings", {"sign_in_attempts_per_address": 0}, expect=200)

    def log(self):
        with open(self.directory + "/coordinator.log") as file:
            return file.read()


class World:
    password, root_password = PASSWORD, ROOT_PASSWORD

    def __init__(self, server):
        self.server, self.directory, self.users, self.trees = server, server.directory, {}, []
        for name in ("ann", "bob", "eve", "mallory", "pam"):
            self.users[name] = server.api("POST", "users", {
                "name": name, "username": name, "email": f"{name}@example.org", "password": PASSWORD}, expect=201)["id"]

    def visitor(self, name):
        visitor = Visitor(self.server)
        answer = visitor.sign_in(name, ROOT_PASSWORD if name == "root" else PASSWORD)
        assert answer.status == 200, answer.body
        return visitor

    def project(self, name, owner):
        return self.visitor(owner).send("POST", "/api/v4/projects", {"name": name}).json

    def tree(self, project):
        self.trees.append(Tree(self.server.url.replace("http://", f"http://root:{TOKEN}@") +
                               f"/{project['path_with_namespace']}.git"))
        return self.trees[-1]

    def runner(self, project):
        token = self.server.api("POST", "user/runners", {
            "runner_type": "project_type", "project_id": project["id"]}, expect=201)["token"]
        return Runner(self.server, token)

    @contextlib.contextmanager
    def another(self, *arguments, level="info"):
        directory = tempfile.mkdtemp(prefix="attacks-")
        server = Server(self.server.program, directory, *arguments, level=level)
        # With an external URL the first line names that; the port is found out before.
        server.port = free_port()
        start_at(server)
        try:
            yield server
        finally:
            server.kill()
            shutil.rmtree(directory)


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_at(server):
    """As start(), for a server whose external URL is not its address."""
    import subprocess
    server.process = subprocess.Popen(
        [server.program, "coordinator", "--listen", f"127.0.0.1:{server.port}", "--data-dir", server.directory + "/data",
         *server.arguments], stdout=subprocess.PIPE, stderr=open(server.directory + "/coordinator.log", "a"), text=True,
        env=server.environment, preexec_fn=die_with_parent)
    server.url = f"http://127.0.0.1:{server.port}"
    assert server.process.stdout.readline().startswith("listening on "), "it did not start"
    for _ in range(100):
        try:
            if server.send("GET", "/-/health").status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("no answer")


def main():
    program = os.environ.get("FORERUNNER")
    if not program:
        print("set FORERUNNER to the program", file=sys.stderr)
        return 1
    if not shutil.which("git"):
        print("skipped: git is not installed")
        return 77
    wanted = sys.argv[1:]
    directory = tempfile.mkdtemp(prefix="attacks-")
    os.environ["HOME"] = directory
    server = Server(os.path.abspath(program), directory)
    server.start()
    world = World(server)
    failed = 0
    try:
        for module in (cases_session, cases_content, cases_server):
            for name, case in inspect.getmembers(module, inspect.isfunction):
                if not name.startswith("case_") or (wanted and name[5:] not in wanted):
                    continue
                start = time.monotonic()
                try:
                    case(world) if inspect.signature(case).parameters else case()
                    print(f"ok    {name[5:]} ({time.monotonic() - start:.1f} s)", flush=True)
                except Exception:  # one case must not hide the others
                    failed += 1
                    traceback.print_exc()
                    print(f"FAIL  {name[5:]}", flush=True)
                if server.process.poll() is not None:
                    print(f"the coordinator ended with {server.process.poll()}")
                    return 1
    finally:
        for tree in world.trees:
            shutil.rmtree(tree.directory)
        if server.process.poll() is None:
            server.kill()
        if failed:
            print(server.log()[-3000:], file=sys.stderr)
        shutil.rmtree(directory)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
