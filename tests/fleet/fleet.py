"""One coordinator, several agents that share a runner token, a project, and pipelines by git push."""
import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import processes

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from databases import database_environment  # noqa: E402

CONFIG = """concurrent = {concurrent}
check_interval = 1
shutdown_timeout = 10

[[runners]]
  name = "fleet-{index}"
  url = "{url}"
  id = {runner_id}
  token = "{token}"
  executor = "shell"
  shell = "bash"
  request_concurrency = {concurrent}
  builds_dir = "{work}/builds"
  cache_dir = "{work}/cache"
  environment = ["FLEET_AGENT={index}"]
"""

FINISHED = ("success", "failed", "canceled", "skipped")


class Timeout(Exception):
    pass


def wait_for(what, seconds, probe, every=0.1):
    """The first true answer of probe."""
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Timeout("after %d s: no %s" % (seconds, what))
        time.sleep(every)


class Agent:
    def __init__(self, fleet, index, concurrent):
        self.fleet = fleet
        self.index = index
        self.concurrent = concurrent
        self.work = os.path.join(fleet.work, "agent%d" % index)
        self.state = os.path.join(self.work, "state")
        os.makedirs(os.path.join(self.work, "home"))
        # Beside config.toml: each agent is a machine of its own.
        with open(os.path.join(self.work, ".runner_system_id"), "w", encoding="utf-8") as file:
            file.write("s_%012x" % (0xf1ee7000 + index))
        with open(os.path.join(self.work, "config.toml"), "w", encoding="utf-8") as file:
            file.write(CONFIG.format(concurrent=concurrent, index=index, url=fleet.url, runner_id=fleet.runner["id"],
                                     token=fleet.runner["token"], work=self.work))
        self.log = open(os.path.join(self.work, "agent.log"), "ab")
        self.process = None
        self.starts = 0

    def start(self):
        self.process = subprocess.Popen(
            [self.fleet.binary, "run", "--config", os.path.join(self.work, "config.toml"), "--working-directory",
             self.work, "--state-dir", self.state],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True,
            env=dict(self.fleet.environment, HOME=os.path.join(self.work, "home")))
        self.starts += 1

    def kill(self):
        """kill -9 of the manager alone; its spawner and workers go on."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def job_directories(self):
        try:
            return sorted(os.listdir(os.path.join(self.state, "jobs")))
        except FileNotFoundError:
            return []

    def _file_of(self, job_id, file_name):
        for name in self.job_directories():
            if name.rsplit("-", 1)[1] == str(job_id):
                try:
                    with open(os.path.join(self.state, "jobs", name, file_name), "rb") as file:
                        return file.read()
                except FileNotFoundError:
                    return b""
        return b""

    def log_of(self, job_id):
        """A job's log, as far as its worker has written it."""
        return self._file_of(job_id, "trace")

    def worker(self, job_id):
        lines = [json.loads(line) for line in self._file_of(job_id, "journal").split(b"\n")[:-1]]
        return next((line["pid"] for line in lines if line["event"] == "started"), None)


class Fleet:
    def __init__(self, binary, agents, concurrent):
        processes.adopt_orphans()
        self.binary = binary
        self.work = tempfile.mkdtemp(prefix="forerunner-fleet.")
        self.home = os.path.join(self.work, "home")
        os.makedirs(self.home)
        self.environment = dict(os.environ, HOME=self.home, GIT_CONFIG_NOSYSTEM="1", NO_PROXY="*", no_proxy="*")
        self.token = "glpat-" + secrets.token_hex(16)
        self.environment_of_coordinator = dict(self.environment, FORERUNNER_ROOT_TOKEN=self.token,
                                               **database_environment())
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.coordinator = None
        self.listen = "127.0.0.1:0"
        self.start_coordinator()
        self.listen = self.url.split("//")[1]
        group = self.api("POST", "groups", name="Fleet", path="fleet")
        self.project = self.api("POST", "projects", name="ships", namespace_id=group["id"])
        self.runner = self.api("POST", "user/runners", runner_type="project_type", project_id=self.project["id"],
                               run_untagged="true", description="fleet")
        self.repository = os.path.join(self.work, "ships")
        self._git("init", "-q", "-b", "main", self.repository, cwd=self.work)
        self.ledger = os.path.join(self.work, "ledger")
        open(self.ledger, "w").close()
        self.agents = [Agent(self, index, concurrent) for index in range(1, agents + 1)]

    # ---- coordinator ----

    def start_coordinator(self):
        path = os.path.join(self.work, "coordinator.out")
        with open(path, "wb") as out, open(os.path.join(self.work, "coordinator.log"), "ab") as log:
            self.coordinator = subprocess.Popen(
                [self.binary, "coordinator", "--listen", self.listen, "--data-dir",
                 os.path.join(self.work, "coordinator")],
                stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True,
                env=self.environment_of_coordinator)

        def listening():
            if self.coordinator.poll() is not None:
                raise Timeout("the coordinator ended with status %s" % self.coordinator.returncode)
            with open(path, encoding="utf-8") as file:
                line = file.readline()
            return line.endswith("\n") and line.startswith("listening on ") and line.split()[2]

        self.url = wait_for("listening coordinator", 30, listening, 0.02)

    def kill_coordinator(self):
        self.coordinator.send_signal(signal.SIGKILL)
        self.coordinator.wait()

    def request(self, method, path, /, **fields):
        request = urllib.request.Request("%s/api/v4/%s" % (self.url, path), method=method,
                                         headers={"PRIVATE-TOKEN": self.token},
                                         data=urllib.parse.urlencode(fields).encode() if fields else None)
        try:
            with self.opener.open(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError("%s %s: %d %s" % (method, path, error.code, error.read()[:500])) from error

    def api(self, method, path, /, **fields):
        return json.loads(self.request(method, path, **fields))

    # ---- pipelines ----

    def _git(self, *arguments, cwd=None):
        done = subprocess.run(["git", "-c", "user.name=Fleet", "-c", "user.email=fleet@example.com", *arguments],
                              cwd=cwd or self.repository, env=self.environment, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise RuntimeError("git %s: %s" % (arguments[0], done.stderr.decode("utf-8", "replace")))

    def push(self, branch, pipeline):
        """Pushes a new branch with that .gitlab-ci.yml; the id of its pipeline."""
        with open(os.path.join(self.repository, ".gitlab-ci.yml"), "w", encoding="utf-8") as file:
            file.write(pipeline)
        self._git("checkout", "-q", "-B", branch)
        self._git("add", "-A")
        self._git("commit", "-q", "--allow-empty", "-m", branch)
        self._git("-c", "http.extraHeader=PRIVATE-TOKEN: " + self.token, "push", "-q",
                  self.url + "/fleet/ships.git", branch)
        found = self.api("GET", "projects/%d/pipelines?ref=%s" % (self.project["id"], branch))
        if len(found) != 1:
            raise RuntimeError("the push of %s created %d pipelines" % (branch, len(found)))
        return found[0]["id"]

    def jobs(self, pipeline):
        jobs, page = [], 1
        while True:
            more = self.api("GET", "projects/%d/pipelines/%d/jobs?per_page=100&page=%d"
                            % (self.project["id"], pipeline, page))
            jobs += more
            if len(more) < 100:
                return jobs
            page += 1

    def job(self, job_id):
        return self.api("GET", "projects/%d/jobs/%d" % (self.project["id"], job_id))

    def trace(self, job_id):
        return self.request("GET", "projects/%d/jobs/%d/trace" % (self.project["id"], job_id))

    def finished(self, pipelines):
        """All jobs once the last has ended, else None, as while the coordinator is away."""
        try:
            jobs = [job for pipeline in pipelines for job in self.jobs(pipeline)]
        except (urllib.error.URLError, ConnectionError, http.client.HTTPException):
            return None
        return jobs if all(job["status"] in FINISHED for job in jobs) else None

    def read_ledger(self):
        with open(self.ledger, encoding="utf-8") as file:
            return [line.split() for line in file]

    # ---- processes and what they leave ----

    def start(self):
        for agent in self.agents:
            if agent.process is None or agent.process.poll() is not None:
                agent.start()

    def known(self):
        return {p.pid for p in [self.coordinator] + [a.process for a in self.agents] if p is not None}

    def strangers(self):
        """Processes beside the coordinator with its children, the managers and one spawner each."""
        processes.reap(self.known())
        mine = {process.pid: process for process in processes.below(os.getpid())}
        for process in processes.below(self.coordinator.pid):
            mine.pop(process.pid, None)
        for pid in self.known():
            mine.pop(pid, None)
        managers = {agent.process.pid for agent in self.agents if agent.process is not None}
        for process in list(mine.values()):
            if process.parent in managers and process.name == "forerunner-spwn":
                managers.discard(process.parent)
                del mine[process.pid]
        return list(mine.values())

    def leftovers(self, seconds=15):
        """Problems, when processes or job directories are still there after a while."""
        problems = []
        try:
            wait_for("end of other processes", seconds, lambda: not self.strangers())
        except Timeout:
            problems += ["left over: %s" % process for process in self.strangers()]
        try:
            wait_for("end of job directories", seconds, lambda: not any(a.job_directories() for a in self.agents))
        except Timeout:
            problems += ["job directories of agent %d left: %s" % (agent.index, ", ".join(agent.job_directories()))
                         for agent in self.agents if agent.job_directories()]
        return problems

    def stop_agents(self, how=signal.SIGTERM):
        problems = []
        running = [agent for agent in self.agents if agent.process is not None and agent.process.poll() is None]
        for agent in running:
            agent.process.send_signal(how)
        for agent in running:
            try:
                if agent.process.wait(30) != 0:
                    problems.append("agent %d ended with status %d" % (agent.index, agent.process.returncode))
            except subprocess.TimeoutExpired:
                problems.append("agent %d did not end within 30 s of a stop signal" % agent.index)
                agent.kill()
        return problems

    def close(self, keep):
        problems = self.stop_agents()
        if not problems:
            problems = self.leftovers()
        if self.coordinator.poll() is None:
            self.coordinator.send_signal(signal.SIGCONT)
            self.coordinator.send_signal(signal.SIGTERM)
            try:
                self.coordinator.wait(20)
            except subprocess.TimeoutExpired:
                problems.append("the coordinator did not end within 20 s of SIGTERM")
                self.kill_coordinator()
        processes.kill_below(os.getpid())
        processes.reap(set())
        if keep or problems:
            print("kept: %s" % self.work)
        else:
            shutil.rmtree(self.work, ignore_errors=True)
        return problems
