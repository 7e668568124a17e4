"""Two coordinators on one PostgreSQL database and one data directory; and what the unit and black-box tests say there."""
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "coordinator"))
from client import Coordinator, Runner, Tree  # noqa: E402
from postgres import Postgres  # noqa: E402

PATIENCE = 120  # seconds for what takes a moment on an idle machine


class Cluster:
    """A database, a data directory, coordinators A and B."""

    def __init__(self, program, postgres):
        self.directory = tempfile.mkdtemp(prefix="cluster-")
        schema = "cluster_" + os.urandom(6).hex()
        self.a, self.b = Coordinator(program, self.directory), Coordinator(program, self.directory)
        for server in (self.a, self.b):
            server.environment["FORERUNNER_DATABASE"] = postgres.url(schema)
        # Both at once on an empty database: one makes it, the other waits.
        starts = [threading.Thread(target=server.start) for server in (self.a, self.b)]
        for start in starts:
            start.start()
        for start in starts:
            start.join()
        self.project = self.a.api("POST", "projects", {"name": "shared"}, expect=201)
        self.runner = self.b.api("POST", "user/runners", {"runner_type": "project_type",
                                                          "project_id": self.project["id"]}, expect=201)
        self.tree = Tree(self.a.url.replace("://", "://root:glpat-black-box-root-token@") + "/root/shared.git")

    def pipeline(self, jobs):
        self.tree.push("".join(f"j{i}:\n  script: echo\n" for i in range(jobs)))
        return max(p["id"] for p in self.b.api("GET", f"projects/{self.project['id']}/pipelines"))

    def jobs(self, server, pipeline):
        out, page = [], 1
        while True:
            path = f"projects/{self.project['id']}/pipelines/{pipeline}/jobs?per_page=100&page={page}"
            part = server.api("GET", path)
            out += part
            if len(part) < 100:
                return out
            page += 1

    def end(self):
        for server in (self.a, self.b):
            if server.process and server.process.poll() is None:
                server.kill()
        shutil.rmtree(self.tree.directory, ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)


class Agents:
    """Runners' managers that take jobs until `stop()`; when their coordinator is gone they ask the other."""

    def __init__(self, cluster, count):
        self.cluster, self.finished, self.lock, self.stopped = cluster, [], threading.Lock(), False
        self.problems = []
        self.threads = [threading.Thread(target=self._run, args=(i,)) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def _run(self, index):
        servers = [self.cluster.a, self.cluster.b]
        at = index % 2
        runner = None
        while not self.stopped:
            try:
                if runner is None:
                    runner = Runner(servers[at], self.cluster.runner["token"], f"s_agent{index}")
                job = runner.poll()
                if job is None:
                    continue
                # A job whose hand-over was given up belongs to another runner: its token is of no use.
                if runner.update(job, "running").status != 200:
                    continue
                done = runner.update(job, "success")
                if done.status != 200:
                    self.problems.append((job["id"], done.status, done.body))
                with self.lock:
                    self.finished.append(job["id"])
            except (OSError, http.client.HTTPException, AssertionError) as problem:
                if isinstance(problem, AssertionError) and "503" not in str(problem):
                    self.problems.append(repr(problem))
                runner, at = None, 1 - at
                time.sleep(0.05)

    def wait_for(self, count):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with self.lock:
                if len(set(self.finished)) >= count:
                    return
            time.sleep(0.05)
        raise AssertionError(f"{len(self.finished)} of {count} jobs were done")

    def stop(self):
        self.stopped = True
        for server in (self.cluster.a, self.cluster.b):  # ends the long polls
            if server.process.poll() is None:
                server.api("PUT", f"runners/{self.cluster.runner['id']}", {"paused": True})
                server.api("PUT", f"runners/{self.cluster.runner['id']}", {"paused": False})
        for thread in self.threads:
            thread.join()
        assert not self.problems, self.problems[:5]



def case_jobs_are_handed_out_once(cluster, _):
    pipeline = cluster.pipeline(80)
    agents = Agents(cluster, 8)
    agents.wait_for(80)
    agents.stop()
    assert len(agents.finished) == len(set(agents.finished)) == 80, sorted(agents.finished)
    assert all(job["status"] == "success" for job in cluster.jobs(cluster.a, pipeline))


def case_a_job_made_at_one_wakes_a_poll_at_the_other(cluster, _):
    cluster.pipeline(1)
    first = Runner(cluster.a, cluster.runner["token"], "s_first")
    job = first.poll()
    assert first.update(job, "running").status == 200 and first.update(job, "success").status == 200
    waits = []
    for waiting, other in ((cluster.b, cluster.a), (cluster.a, cluster.b)) * 3:
        runner = Runner(waiting, cluster.runner["token"], "s_sleeper")
        runner.last_update = "from another process"
        assert runner.poll() is None  # and has the value to wait with
        got = {}

        def poll():
            got["job"] = runner.poll()
            got["at"] = time.monotonic()

        thread = threading.Thread(target=poll)
        thread.start()
        time.sleep(0.3)
        asked = other.api("POST", f"projects/{cluster.project['id']}/pipeline", {"ref": "main"}, expect=201)
        made = time.monotonic()
        thread.join(PATIENCE)
        job = got.get("job")
        assert job and job["job_info"]["name"] == "j0", (asked, got)
        waits.append(got["at"] - made)
        assert runner.update(job, "running").status == 200
        assert runner.update(job, "success").status == 200
    print("      woken after", ", ".join(f"{wait * 1000:.0f} ms" for wait in waits))
    # Without a notice it would be the long poll's 50 s; a slow machine is no failure.
    assert min(waits) < 1 and max(waits) < 15, waits


def case_one_is_killed(cluster, _):
    pipeline = cluster.pipeline(60)
    agents = Agents(cluster, 8)
    agents.wait_for(15)
    cluster.a.kill(signal.SIGKILL)
    # What A had handed out without the agent's hearing of it is found by B, which does the housekeeping now.
    agents.wait_for(60)
    agents.stop()
    assert len(agents.finished) == len(set(agents.finished)) == 60, sorted(agents.finished)
    assert all(job["status"] == "success" for job in cluster.jobs(cluster.b, pipeline))
    cluster.a.start()
    assert all(job["status"] == "success" for job in cluster.jobs(cluster.a, pipeline))


def case_the_database_restarts(cluster, postgres):
    postgres.restart()
    for server in (cluster.a, cluster.b):
        server.api("GET", "user", expect=200)
        server.api("PUT", f"projects/{cluster.project['id']}", {"description": "after"}, expect=200)
    pipeline = cluster.pipeline(20)
    agents = Agents(cluster, 4)
    agents.wait_for(20)
    agents.stop()
    assert all(job["status"] == "success" for job in cluster.jobs(cluster.b, pipeline))
    # The wake-ups are back, too.
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with open(cluster.directory + "/coordinator.log") as log:
            if log.read().count("listening to the database again") >= 2:
                break
        time.sleep(0.1)
    case_a_job_made_at_one_wakes_a_poll_at_the_other(cluster, postgres)


def case_what_is_wrong_is_said(cluster, postgres):
    def start(url, directory):
        return subprocess.run([cluster.a.program, "coordinator", "--listen", "127.0.0.1:0", "--data-dir", directory],
                              env={**os.environ, "FORERUNNER_DATABASE": url}, capture_output=True, text=True, timeout=60)

    wrong = start(f"postgresql://forerunner:hunter2@127.0.0.1:{postgres.port}/postgres", cluster.directory + "/other")
    assert wrong.returncode == 1 and "password authentication failed" in wrong.stderr, wrong.stderr
    assert "hunter2" not in wrong.stderr
    # The data directory belongs to a database.
    embedded = start("", cluster.directory + "/data")
    assert embedded.returncode == 1 and "in use by another coordinator" in embedded.stderr, embedded.stderr
    backup = subprocess.run([cluster.a.program, "coordinator", "backup", "--data-dir", cluster.directory + "/data",
                             "--to", cluster.directory + "/backup.zip"], capture_output=True, text=True, timeout=60)
    assert backup.returncode == 0 and "pg_dump" in backup.stderr, backup.stderr
    log = open(cluster.directory + "/coordinator.log").read()
    assert "a password" not in log and "a%20password" not in log


def run_elsewhere(program, postgres, failed):
    """The other tests, with a schema of its own for each server."""
    environment = {**os.environ, "FORERUNNER_TEST_DATABASE": postgres.url(), "FORERUNNER": program}
    beside = os.path.dirname(program)
    for name in ("database_test", "coordinator_test"):
        binary = os.path.join(beside, name)
        if not os.path.exists(binary):
            print(f"      {name} is not beside the program: not run")
            continue
        done = subprocess.run([binary, "--gtest_brief=1"], env=environment, capture_output=True, text=True)
        report(name + " on PostgreSQL", done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:], failed)
    done = subprocess.run([os.path.join(HERE, "..", "coordinator", "run")], env=environment, capture_output=True, text=True)
    report("tests/coordinator on PostgreSQL", done.returncode == 0, done.stdout[-6000:] + done.stderr[-4000:], failed)


def report(name, good, details, failed):
    print(("ok    " if good else "FAIL  ") + name, flush=True)
    if not good:
        print(details, file=sys.stderr)
        failed.append(name)


def main():
    program = os.environ.get("FORERUNNER")
    if not program:
        print("set FORERUNNER to the program", file=sys.stderr)
        return 1
    program = os.path.abspath(program)
    wanted = sys.argv[1:]
    failed = []
    with Postgres() as postgres:
        cluster = Cluster(program, postgres)
        try:
            for name, case in list(globals().items()):
                if not name.startswith("case_") or (wanted and name[5:] not in wanted):
                    continue
                try:
                    case(cluster, postgres)
                    report(name[5:], True, "", failed)
                except Exception:  # one case must not hide the others
                    report(name[5:], False, traceback.format_exc(), failed)
            for server in (cluster.a, cluster.b):
                if server.process.poll() is None and server.kill(signal.SIGTERM) != 0:
                    report("an orderly end", False, f"status {server.process.returncode}", failed)
            if failed:
                print(open(cluster.directory + "/coordinator.log").read()[-4000:], file=sys.stderr)
        finally:
            cluster.end()
        if not wanted or "elsewhere" in wanted:
            run_elsewhere(program, postgres, failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
