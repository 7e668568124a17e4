"""Two coordinators on one database and one data directory, and agents that go to the other when theirs is gone."""
import http.client
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("coordinator", "attacks"):
    sys.path.append(os.path.join(HERE, "..", folder))
from client import FEATURES, Coordinator, Runner, Tree  # noqa: E402

PATIENCE = 120  # seconds for what takes a moment on an idle machine
ROOT_PASSWORD = "a pass phrase for root"


def until(what, check):
    """What check() gives as soon as it is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not after {PATIENCE} s: {what}")


class Cluster:
    """A database (schema) in `postgres`, a data directory, coordinators A and B."""

    def __init__(self, program, postgres, *arguments):
        self.postgres = postgres
        self.directory = tempfile.mkdtemp(prefix="cluster-")
        self.schema = "cluster_" + os.urandom(6).hex()
        self.program = program
        self.a = Coordinator(program, self.directory, *arguments)
        self.b = Coordinator(program, self.directory, *arguments)
        for server in (self.a, self.b):
            server.environment["FORERUNNER_DATABASE"] = postgres.url(self.schema)
            server.environment["FORERUNNER_ROOT_PASSWORD"] = ROOT_PASSWORD
            server.environment["LOG_LEVEL"] = "info"
        # Both at once on an empty database: one makes it, the other waits.
        for server in (self.a, self.b):
            server.launch()
        for server in (self.a, self.b):
            server.wait_until_ready()
        self.places = 0
        self.trees = []
        self.shared = self.place()

    def place(self):
        """A project of its own, made at A, with a runner made at B."""
        self.places += 1
        return Place(self, f"shared-{self.places}")

    def log(self):
        with open(self.directory + "/coordinator.log", encoding="utf-8") as file:
            return file.read()

    def stop(self):
        """An orderly end of both; their exit statuses."""
        return [server.kill(signal.SIGTERM) for server in (self.a, self.b) if server.process.poll() is None]

    def end(self):
        for server in (self.a, self.b):
            if server.process and server.process.poll() is None:
                server.kill()
        for tree in self.trees:
            shutil.rmtree(tree.directory, ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)


class Place:
    def __init__(self, cluster, name):
        self.cluster = cluster
        self.project = cluster.a.api("POST", "projects", {"name": name}, expect=201)
        self.base = f"projects/{self.project['id']}"
        self.runner = cluster.b.api("POST", "user/runners", {"runner_type": "project_type",
                                                             "project_id": self.project["id"]}, expect=201)
        self.tree = Tree(cluster.a.url.replace("://", "://root:glpat-black-box-root-token@") + f"/root/{name}.git")
        cluster.trees.append(self.tree)

    def push(self, text):
        """Through A; the pipeline's number as B sees it."""
        self.tree.push(text)
        return max(p["id"] for p in self.cluster.b.api("GET", self.base + "/pipelines"))

    def pipeline(self, jobs):
        return self.push("".join(f"j{i}:\n  script: echo\n" for i in range(jobs)))

    def jobs(self, server, pipeline):
        out, page = [], 1
        while True:
            part = server.api("GET", f"{self.base}/pipelines/{pipeline}/jobs?per_page=100&page={page}")
            out += part
            if len(part) < 100:
                return out
            page += 1

    def status(self, server, pipeline):
        return server.api("GET", f"{self.base}/pipelines/{pipeline}")["status"]

    def job(self, server, number):
        return server.api("GET", f"{self.base}/jobs/{number}")

    def trace(self, server, number):
        return server.api("GET", f"{self.base}/jobs/{number}/trace")

    def manager(self, server, system_id="s_1"):
        return Runner(server, self.runner["token"], system_id)


class Waiting:
    """A long poll in the background."""

    def __init__(self, runner):
        self.runner, self.job, self.error, self.at = runner, None, None, None
        runner.last_update = runner.last_update or "waits"
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            self.job = self.runner.poll()
        except (OSError, http.client.HTTPException, AssertionError) as error:
            self.error = error
        self.at = time.monotonic()

    @property
    def over(self):
        return not self.thread.is_alive()

    def wait(self):
        self.thread.join(PATIENCE)
        assert self.over, "the poll goes on"
        if self.error:
            raise self.error
        return self.job


class Agents:
    """Runners' managers that take jobs until stop(): each prints its log and insists on its reports, at whichever
    coordinator answers, as a real one does."""

    def __init__(self, place, count, features=None):
        self.place, self.cluster, self.features = place, place.cluster, features or FEATURES
        self.lock, self.stopped = threading.Lock(), False
        self.finished, self.acknowledged, self.problems = set(), {}, []
        self.runners = [None] * count
        self.at = [index % 2 for index in range(count)]  # which coordinator each talks to
        self.threads = [threading.Thread(target=self._run, args=(i,)) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def _run(self, index):
        while not self.stopped:
            job = self._insist(index, lambda runner: runner.poll(), lambda answer: True)
            if job:
                try:
                    self._work(index, job)
                except AssertionError as problem:
                    self.problems.append(repr(problem))

    def _insist(self, index, call, good):
        """Asks one coordinator or the other until there is an answer that is not about its own troubles."""
        while not self.stopped:
            try:
                if self.runners[index] is None:
                    server = (self.cluster.a, self.cluster.b)[self.at[index]]
                    self.runners[index] = Runner(server, self.place.runner["token"], f"s_agent{index}")
                    self.runners[index].features = self.features
                answer = call(self.runners[index])
                if good(answer):
                    return answer
            except AssertionError as problem:  # of poll()
                if "(50" not in str(problem):
                    self.problems.append(repr(problem))
            except (OSError, http.client.HTTPException):
                pass
            self.runners[index] = None
            self.at[index] = 1 - self.at[index]
            time.sleep(0.05)
        return None

    def _work(self, index, job):
        def report(state):
            return self._insist(index, lambda runner: runner.update(job, state), lambda answer: answer.status < 500)

        answer = report("running")
        # A job whose hand-over was given up belongs to another runner: its token is of no use.
        if answer is None or answer.status == 403:
            return
        assert answer.status == 200, (answer.status, answer.body)
        with self.lock:
            self.acknowledged.setdefault(job["id"], set()).add(index)
        text = f"job {job['id']} by {index}\n"
        for start, piece in ((0, text[:5]), (5, text[5:])):
            answer = self._insist(index, lambda runner, at=start, what=piece: runner.patch(job, at, what),
                                  lambda answer: answer.status < 500)
            if answer is None:
                return
            assert answer.status == 202, (answer.status, answer.body, dict(answer.headers))
        answer = report("success")
        if answer is None:
            return
        # 403 when the answer to the first one was lost.
        assert answer.status == 200 or answer.headers.get("Job-Status") == "success", (answer.status, answer.body)
        with self.lock:
            self.finished.add(job["id"])

    def wait_for(self, count):
        until(f"{count} jobs are done", lambda: len(self.finished) >= count or self.problems)
        assert not self.problems, self.problems[:5]

    def stop(self):
        self.stopped = True
        while any(thread.is_alive() for thread in self.threads):
            for runner in list(self.runners):  # ends the long polls
                try:
                    runner.connection.sock.shutdown(socket.SHUT_RDWR)
                except (AttributeError, OSError):
                    pass
            time.sleep(0.02)
        assert not self.problems, self.problems[:5]

    def check(self, server, pipeline, count):
        """Each job once, green, with its whole log."""
        assert len(self.finished) == count, len(self.finished)
        twice = {job: who for job, who in self.acknowledged.items() if len(who) != 1}
        assert not twice, twice
        jobs = self.place.jobs(server, pipeline)
        assert len(jobs) == count and all(job["status"] == "success" for job in jobs)
        assert self.place.status(server, pipeline) == "success"
        for job, (index,) in self.acknowledged.items():
            log = self.place.trace(server, job)
            assert log == f"job {job} by {index}\n".encode(), (job, log)
