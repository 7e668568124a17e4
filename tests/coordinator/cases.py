"""Black-box cases. Each function named case_* gets a fresh project; a failed assertion fails the run."""

import http.client
import os
import re
import shutil
import socket
import sys
import tempfile
import threading
import time
import traceback

from client import TOKEN, Coordinator, Runner, Tree


class World:
    def __init__(self, server, name):
        self.server = server
        self.project = server.api("POST", "projects", {"name": name}, expect=201)
        self.base = f"projects/{self.project['id']}"
        self.runner_token = server.api("POST", "user/runners", {
            "runner_type": "project_type", "project_id": self.project["id"]}, expect=201)["token"]
        self.tree = Tree(server.url.replace("http://", f"http://root:{TOKEN}@") + f"/root/{name}.git")

    def runner(self, system_id="s_1"):
        return Runner(self.server, self.runner_token, system_id)

    def pipeline(self):
        return self.server.api("GET", self.base + "/pipelines")[0]

    def jobs(self, pipeline):
        listed = self.server.api("GET", f"{self.base}/pipelines/{pipeline}/jobs?per_page=100")
        return {job["name"]: job for job in listed}

    def trace(self, job):
        return self.server.api("GET", f"{self.base}/jobs/{job['id']}/trace")


def case_push_to_green(world):
    """git push, three stages by a runner made of requests, artifacts handed on, pipeline green."""
    printed = world.tree.push("""
stages: [build, test, ship]
compile: {stage: build, script: [make], artifacts: {paths: [out]}}
unit: {stage: test, script: [make test]}
lint: {stage: test, script: [make lint], allow_failure: true}
ship: {stage: ship, script: [make ship], needs: [compile]}
""")
    pipeline = world.pipeline()
    assert f"/root/{world.project['path']}/-/pipelines/{pipeline['id']}" in printed, printed
    runner = world.runner()
    content = os.urandom(300_000)
    done = []
    while job := runner.poll():
        name = job["job_info"]["name"]
        assert runner.update(job, "running").headers["Job-Status"] == "running"
        fetch = world.tree.git("fetch", "-q", job["git_info"]["repo_url"], job["git_info"]["refspecs"][0])
        assert fetch.returncode == 0
        assert runner.patch(job, 0, f"hello from {name}\n").status == 202
        if name == "compile":
            assert runner.upload(job, content, artifact_type="archive", artifact_format="zip").status == 201
        if name == "ship":
            source = job["dependencies"][0]
            assert source["name"] == "compile" and source["artifacts_file"]["size"] == len(content)
            assert runner.download(source["id"], source["token"]).body == content
            part = runner.download(source["id"], source["token"], "bytes=1000-1999")
            assert part.status == 206 and part.body == content[1000:2000]
        state = "failed" if name == "lint" else "success"
        last = runner.update(job, state, failure_reason="script_failure" if state == "failed" else "")
        assert (last.status, last.headers["Job-Status"]) == (200, state)
        repeat = runner.update(job, state)
        assert (repeat.status, repeat.headers["Job-Status"]) == (403, state)
        done.append(name)
    assert sorted(done) == ["compile", "lint", "ship", "unit"] and done[0] == "compile", done
    assert world.server.api("GET", f"{world.base}/pipelines/{pipeline['id']}")["status"] == "success"
    assert world.trace(world.jobs(pipeline["id"])["unit"]) == b"hello from unit\n"


def case_killed_and_started_again(world):
    """kill -9 of the coordinator while a job runs: the job goes on with its token, its log and the waiting poll."""
    world.tree.push("one: {script: [x]}\ntwo: {stage: deploy, script: [x]}\n")
    runner = world.runner()
    job = runner.poll()
    runner.update(job, "running")
    assert runner.patch(job, 0, "before\n").status == 202
    world.server.kill()
    world.server.start()
    runner = world.runner()
    assert runner.patch(job, 0, "before\n").status == 202, "a repeat after the restart"
    assert runner.patch(job, 7, "after\n").status == 202
    assert runner.update(job, "success").headers["Job-Status"] == "success"
    assert world.trace(job) == b"before\nafter\n"
    second = runner.poll()
    assert second["job_info"]["name"] == "two"
    # Handed out, the server dies, nobody acknowledged: the job is not lost.
    world.server.kill()
    world.server.start()
    runner = world.runner()
    assert runner.update(second, "running").status == 200
    assert runner.update(second, "success").status == 200
    assert world.pipeline()["status"] == "success"


def case_long_polls(world):
    """Jobs reach waiting runners by themselves, each exactly one."""
    waiting, jobs, taken, lock = 8, 40, [], threading.Lock()

    def work(number):
        runner = world.runner(f"s_{number}")
        assert runner.poll() is None
        ready.wait()
        while len(taken) < jobs:
            try:
                job = runner.poll()
            except (OSError, http.client.HTTPException):
                return  # still waiting when the server stops
            if job is None:
                continue
            with lock:
                taken.append(job["id"])
            runner.update(job, "running")
            runner.update(job, "success")

    ready = threading.Barrier(waiting + 1)
    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(waiting)]
    for thread in threads:
        thread.start()
    ready.wait()
    world.tree.push("".join(f"j{n}: {{script: [x]}}\n" for n in range(jobs)))
    deadline = time.monotonic() + 60
    while len(taken) < jobs and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sorted(taken) == sorted(set(taken)) and len(taken) == jobs, f"{len(set(taken))} of {len(taken)}"
    pipeline = world.pipeline()["id"]
    while world.pipeline()["status"] != "success" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert {job["status"] for job in world.jobs(pipeline).values()} == {"success"}


def case_two_hundred_jobs(world):
    """200 jobs to 32 pollers at once."""
    world.tree.push("".join(f"j{n}: {{script: [x]}}\n" for n in range(200)))
    taken, lock = [], threading.Lock()

    def work(number):
        runner = world.runner(f"s_{number}")
        while job := runner.poll():
            with lock:
                taken.append(job["id"])
            assert runner.update(job, "running").status == 200
            assert runner.update(job, "success").status == 200

    started = time.monotonic()
    threads = [threading.Thread(target=work, args=(n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"    200 jobs to 32 pollers: {time.monotonic() - started:.2f} s")
    assert len(taken) == 200 == len(set(taken)), (len(taken), len(set(taken)))
    assert world.pipeline()["status"] == "success"


def case_pick_up_latency(world):
    """From the request that makes a job pending to the 201 of a waiting poll."""
    world.tree.push("later: {script: [x], when: manual, allow_failure: false}\n")
    pipeline = world.pipeline()["id"]
    number = world.jobs(pipeline)["later"]["id"]
    times = []
    for round_ in range(10):
        runner = world.runner()
        assert runner.poll() is None
        got = {}

        def wait():
            while "job" not in got:
                job = runner.poll()
                if job:
                    got.update(job=job, at=time.monotonic())

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.05)  # so that the poll is waiting; without it the case is easier, not wrong
        begun = time.monotonic()
        verb = "play" if round_ == 0 else "retry"
        answer = world.server.api("POST", f"{world.base}/jobs/{number}/{verb}", {})
        thread.join(60)
        times.append(got["at"] - begun)
        number = answer["id"]
        runner.update(got["job"], "running")
        runner.update(got["job"], "failed")
    print(f"    pick-up: median {sorted(times)[5] * 1000:.1f} ms")


def case_wrong_tokens_and_ranges(world):
    world.tree.push("a: {script: [x]}\nb: {script: [x]}\n")
    runner = world.runner()
    a, b = runner.poll(), runner.poll()
    for job in (a, b):
        runner.update(job, "running")
    crossed = {**a, "token": b["token"]}
    assert runner.update(crossed, "success").status == 403
    assert runner.patch(crossed, 0, "x").status == 403
    assert runner.upload(crossed, b"x").status == 403
    assert runner.patch(a, 0, "12345").status == 202
    gap = runner.patch(a, 9, "x")
    assert (gap.status, gap.headers["Range"]) == (416, "0-5")
    none = runner.call("PATCH", f"jobs/{a['id']}/trace", "x", {"JOB-TOKEN": a["token"]})
    assert none.status == 400
    assert runner.upload(a, b"one").status == 201
    assert runner.upload(a, b"one").status == 201
    assert runner.upload(a, b"two").status == 400
    canceled = world.server.api("POST", f"{world.base}/jobs/{a['id']}/cancel", {}, expect=201)
    assert canceled["status"] == "canceling"
    assert runner.patch(a, 5, "6").headers["Job-Status"] == "canceling"
    assert runner.update(a, "failed").headers["Job-Status"] == "canceled"


def case_errors_of_the_configuration(world):
    printed = world.tree.push("build: {script: [x], trigger: other}\n")
    assert "trigger" in printed, printed
    pipeline = world.server.api("GET", f"{world.base}/pipelines/{world.pipeline()['id']}")
    assert pipeline["status"] == "failed" and "trigger" in pipeline["yaml_errors"]
    world.tree.push("a: {script: [x]}\n", "nothing to do [skip ci]")
    assert world.pipeline()["status"] == "skipped"


def case_malformed_requests(world):
    """Nothing of this may end the server or keep a connection for ever."""
    def raw(data):
        with socket.create_connection(("127.0.0.1", world.server.port), timeout=20) as connection:
            connection.sendall(data)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            return answer.split(b"\r\n", 1)[0]

    for data, statuses in (
            (b"nonsense\r\n\r\n", b"400"),
            (b"GET / HTTP/9.9\r\n\r\n", b"400|505"),
            (b"POST /api/v4/jobs/request HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", b"400"),
            (b"POST /api/v4/jobs/request HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
             b"Connection: close\r\nContent-Length: 2\r\n\r\n{]", b"400"),
            (b"POST /api/v4/jobs/request HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", b"413"),
            (b"GET /%00/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"302|400|404"),
            (b"GET /root/x.git/info/refs?service=git-evil HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"40."),
            (b"GET /../../etc.git/HEAD HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"40."),
            (b"PATCH /api/v4/jobs/1/trace HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"40."),
    ):
        line = raw(data)
        assert re.search(rb"^HTTP/1.1 (" + statuses + b") ", line), (data, line)
    assert world.server.send("GET", "/-/health").status == 200


def main():
    program = os.environ.get("FORERUNNER")
    if not program:
        print("set FORERUNNER to the program", file=sys.stderr)
        return 1
    if not shutil.which("git"):
        print("skipped: git is not installed")
        return 77
    wanted = sys.argv[1:]
    directory = tempfile.mkdtemp(prefix="coordinator-")
    server = Coordinator(os.path.abspath(program), directory)
    server.start()
    failed = 0
    try:
        for name, case in list(globals().items()):
            if not name.startswith("case_") or (wanted and name[5:] not in wanted):
                continue
            world = World(server, name[5:].replace("_", "-"))
            try:
                case(world)
                print(f"ok    {name[5:]}")
            except Exception:  # one case must not hide the others
                failed += 1
                traceback.print_exc()
                print(f"FAIL  {name[5:]}")
            finally:
                shutil.rmtree(world.tree.directory)
        status = server.kill(15)
        if status != 0:
            print(f"the coordinator ended with status {status} on SIGTERM")
            failed += 1
    finally:
        if server.process.poll() is None:
            server.kill()
        if failed:
            print(open(directory + "/coordinator.log").read()[-3000:], file=sys.stderr)
        shutil.rmtree(directory)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
