"""What must hold while processes of a fleet die: every job runs exactly once, ends right, keeps its whole log.

Environment (defaults make a version for every day, about a minute):
  FLEET_JOBS, FLEET_AGENTS, FLEET_CONCURRENT  size of the storm
  FLEET_KILL_EVERY   seconds between two kills in the storm, on average
  FLEET_FROZEN       seconds without the coordinator
  FLEET_TIMEOUT      seconds a scenario may take
  FLEET_PARALLEL     scenarios at once, but for the storm
  FLEET_SEED         of the random choices
  FLEET_KEEP=1       leaves the directories
Arguments: names of scenarios; none: all.
"""
import concurrent.futures
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import zlib

import fleet as fleets
from fleet import wait_for

JOBS = int(os.environ.get("FLEET_JOBS", "200"))
AGENTS = int(os.environ.get("FLEET_AGENTS", "4"))
CONCURRENT = int(os.environ.get("FLEET_CONCURRENT", "5"))
KILL_EVERY = float(os.environ.get("FLEET_KILL_EVERY", "1"))
FROZEN = float(os.environ.get("FLEET_FROZEN", "6"))
TIMEOUT = float(os.environ.get("FLEET_TIMEOUT", "300"))
PARALLEL = int(os.environ.get("FLEET_PARALLEL", "3"))
SEED = int(os.environ.get("FLEET_SEED", str(random.randrange(1 << 30))))
choice = random.Random(SEED)

# Half of the lines, a pause, the other half, a checksum over all of them.
SCRIPT = """
  variables: {{GIT_STRATEGY: {strategy}}}
  script:
    - echo "$CI_JOB_ID start $FLEET_AGENT" >>"{ledger}"
    - |
      lines=$((200 + CI_JOB_ID % 200))
      mkdir -p out
      seq -f "job $CI_JOB_ID line %g of $lines: the quick brown fox jumps over the lazy dog" $lines >out/text-$CI_JOB_ID
      printf '<''<\\n'
      head -n 100 out/text-$CI_JOB_ID
      sleep {pause}
      tail -n +101 out/text-$CI_JOB_ID
      set -- $(gzip -c out/text-$CI_JOB_ID | tail -c8 | od -An -tu4)
      printf 'checksum %s bytes %s\\n>''>\\n' $1 $2
    - echo "$CI_JOB_ID end $FLEET_AGENT" >>"{ledger}"
"""


def pipeline(fleet, jobs, pause, fetch=True):
    """Of every ten jobs, six have no sources, two fetch them, two leave artifacts."""
    fifth = max(jobs // 5, 2)
    text = ""
    for name, count, strategy, rest in (("bare", jobs - 2 * fifth, "none", ""),
                                        ("fetched", fifth, "fetch" if fetch else "empty", ""),
                                        ("kept", fifth, "none", "  artifacts: {paths: [out]}\n")):
        text += "%s:\n  parallel: %d%s%s" % (name, max(count, 2),
                                             SCRIPT.format(strategy=strategy, ledger=fleet.ledger, pause=pause), rest)
    return text


def expected_text(job_id):
    lines = 200 + job_id % 200
    text = "".join("job %d line %d of %d: the quick brown fox jumps over the lazy dog\n" % (job_id, i, lines)
                   for i in range(1, lines + 1)).encode()
    return text + b"checksum %d bytes %d\n" % (zlib.crc32(text), len(text))


# Time, stream, kind; then '+' where the line goes on from the one before it.
STAMP = re.compile(rb"^[-0-9]{10}T[:0-9]{8}\.[0-9]{6}Z [0-9a-f]{2}[OE]([+ ])", re.M)


def plain_log(fleet, job_id):
    """A job's log without timestamps."""
    log = fleet.trace(job_id)
    log = re.sub(rb"\n" + STAMP.pattern[1:].replace(rb"([+ ])", rb"\+"), b"", log)
    return STAMP.sub(b"", log)


def check_log(fleet, job):
    trace = plain_log(fleet, job["id"])
    wanted = expected_text(job["id"])
    _, opening, rest = trace.partition(b"\n<<\n")
    printed, closing, end = rest.partition(b">>\n")
    if not opening or not closing or printed != wanted:
        return "job %d: %d bytes printed, %d in the log (of %d)" % (job["id"], len(wanted), len(printed), len(trace))
    last = end.strip().splitlines()[-1:]
    if not last or b"Job succeeded" not in last[0]:
        return "job %d: the log ends with %r" % (job["id"], last)
    if trace.count(b"Running with") != 1:
        return "job %d: %d beginnings in its log" % (job["id"], trace.count(b"Running with"))
    return None


def check_ledger(fleet, ids):
    """Each job once from start to end; no agent with more jobs at a time than it may have."""
    problems = []
    starts, ends, running = {}, {}, {}
    for job_id, what, agent in fleet.read_ledger():
        counts = starts if what == "start" else ends
        counts[int(job_id)] = counts.get(int(job_id), 0) + 1
        running[agent] = running.get(agent, 0) + (1 if what == "start" else -1)
        if running[agent] > CONCURRENT:
            problems.append("agent %s ran %d jobs at once" % (agent, running[agent]))
    for job_id in ids:
        if starts.get(job_id) != 1 or ends.get(job_id) != 1:
            problems.append("job %d ran %d times to the beginning, %d times to the end"
                            % (job_id, starts.get(job_id, 0), ends.get(job_id, 0)))
    return problems


def check_all(fleet, jobs):
    problems = ["job %d (%s): %s %s" % (job["id"], job["name"], job["status"], job.get("failure_reason") or "")
                for job in jobs if job["status"] != "success"]
    problems += check_ledger(fleet, [job["id"] for job in jobs])
    good = [job for job in jobs if job["status"] == "success"]
    problems += [problem for problem in (check_log(fleet, job) for job in good) if problem]
    problems += ["job %d: no artifacts" % job["id"] for job in good
                 if job["name"].startswith("kept") and not job.get("artifacts_file")]
    return problems + fleet.leftovers() + check_server_log(fleet)


def check_server_log(fleet):
    with open(os.path.join(fleet.work, "coordinator.log"), encoding="utf-8", errors="replace") as file:
        return ["coordinator: " + line.strip() for line in file if "not as long as its runner says" in line]


def finish(fleet, pipelines):
    try:
        return wait_for("end of the pipelines", TIMEOUT, lambda: fleet.finished(pipelines), 0.5)
    except fleets.Timeout:
        raise fleets.Timeout("the jobs did not end: %s" % [
            (job["id"], job["status"]) for p in pipelines for job in fleet.jobs(p)
            if job["status"] not in fleets.FINISHED][:20]) from None


def running(fleet, pipelines, count):
    """That many jobs that have printed something."""
    return wait_for("%d running jobs" % count, 60, lambda: len(
        [entry for entry in fleet.read_ledger() if entry[1] == "start"]) >= count, 0.05)


# ---- scenarios ----------------------------------------------------------------------------------------------------

def storm(fleet):
    """kill -9 of random managers all the while; each is started again at once."""
    fleet.start()
    part = max(JOBS // 4, 10)
    pipelines = [fleet.push("storm-%d" % i, pipeline(fleet, part, "$((RANDOM % 3))")) for i in range(4)]
    over = threading.Event()
    kills = []

    def kill():
        while not over.wait(choice.uniform(0.2, 1.8) * KILL_EVERY):
            agent = choice.choice(fleet.agents)
            agent.kill()
            agent.start()
            kills.append(agent.index)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        jobs = finish(fleet, pipelines)
    finally:
        over.set()
        killer.join()
    print("  %d jobs, %d managers killed" % (len(jobs), len(kills)))
    return check_all(fleet, jobs)


def all_at_once(fleet):
    """All managers killed and started again in one moment, three times, while jobs run."""
    fleet.start()
    pipelines = [fleet.push("all", pipeline(fleet, AGENTS * CONCURRENT, "2"))]
    for turn in range(3):
        running(fleet, pipelines, 1 + turn * 5)
        for agent in fleet.agents:
            agent.kill()
        fleet.start()
    return check_all(fleet, finish(fleet, pipelines))


def coordinator_killed(fleet):
    """kill -9 of the coordinator while jobs run; it comes back after a second with the same data."""
    fleet.start()
    pipelines = [fleet.push("coordinator", pipeline(fleet, AGENTS * CONCURRENT, "2", fetch=False))]
    for turn in range(2):
        running(fleet, pipelines, 2 + turn * 10)
        fleet.kill_coordinator()
        time.sleep(1)
        fleet.start_coordinator()
    return check_all(fleet, finish(fleet, pipelines))


def nobody_is_safe(fleet):
    """Managers and the coordinator killed at random in one storm."""
    fleet.start()
    pipelines = [fleet.push("all-%d" % i, pipeline(fleet, max(JOBS // 8, 10), "1", fetch=False)) for i in range(2)]
    over = threading.Event()

    def kill():
        while not over.wait(choice.uniform(0.2, 1.8) * KILL_EVERY):
            if choice.random() < 0.2:
                fleet.kill_coordinator()
                over.wait(choice.random())
                fleet.start_coordinator()
            else:
                agent = choice.choice(fleet.agents)
                agent.kill()
                agent.start()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        jobs = finish(fleet, pipelines)
    finally:
        over.set()
        killer.join()
    return check_all(fleet, jobs)


def coordinator_frozen(fleet):
    """A network that swallows everything for a while: the coordinator is stopped, connections stay open."""
    fleet.start()
    pipelines = [fleet.push("frozen", pipeline(fleet, AGENTS * CONCURRENT, "2"))]
    running(fleet, pipelines, 2)
    fleet.coordinator.send_signal(signal.SIGSTOP)
    time.sleep(FROZEN)
    fleet.coordinator.send_signal(signal.SIGCONT)
    return check_all(fleet, finish(fleet, pipelines))


LONG = """
victim:
  variables: {GIT_STRATEGY: none}
  script:
    - printf 'one\\ntwo\\n'
    - setsid sleep 1001 >/dev/null 2>&1 &
    - (setsid sh -c 'trap "" TERM HUP INT; sleep 1002; sleep 1003' >/dev/null 2>&1 &)
    - echo three; echo "$CI_JOB_ID start $FLEET_AGENT" >>"LEDGER"
    - sleep 1004
  after_script:
    - echo after
"""


def one_running(fleet, branch, text):
    """Pushes one job and waits until it runs; its id and the agent that has it."""
    fleet.start()
    pipeline_id = fleet.push(branch, text.replace("LEDGER", fleet.ledger))
    job_id = fleet.jobs(pipeline_id)[0]["id"]
    entry = wait_for("running job", 30, lambda: next(
        (e for e in fleet.read_ledger() if e[:2] == [str(job_id), "start"]), None), 0.05)
    agent = fleet.agents[int(entry[2]) - 1]
    # What a worker has read reaches the disk a tenth of a second later.
    wait_for("printed line in the log", 10, lambda: b" three\n" in agent.log_of(job_id), 0.05)
    return pipeline_id, job_id, agent


def check_failed(fleet, job, reason, last):
    problems = []
    if (job["status"], job.get("failure_reason")) != ("failed", reason):
        problems.append("job %d: %s %s, not failed %s" % (job["id"], job["status"], job.get("failure_reason"), reason))
    log = plain_log(fleet, job["id"])
    if not re.search(rb"\none\r?\n.*two\r?\n.*three\r?\n", log, re.S):
        problems.append("job %d: printed lines are not in its log: %r" % (job["id"], log[-400:]))
    if not re.search(last, log[-400:]):
        problems.append("job %d: the log ends with %r" % (job["id"], log[-300:]))
    return problems


def worker_killed(fleet):
    """kill -9 of a worker: its job is reported with the log it had, and everything it started is gone."""
    pipeline_id, job_id, agent = one_running(fleet, "worker", LONG)
    os.kill(wait_for("worker", 10, lambda: agent.worker(job_id)), signal.SIGKILL)
    job, = finish(fleet, [pipeline_id])
    return check_failed(fleet, job, "runner_system_failure", rb"worker process died") + fleet.leftovers()


def worker_killed_unwatched(fleet):
    """The same while no manager lives: the next one reports it."""
    pipeline_id, job_id, agent = one_running(fleet, "unwatched", LONG)
    worker = wait_for("worker", 10, lambda: agent.worker(job_id))
    agent.kill()
    os.kill(worker, signal.SIGKILL)
    agent.start()
    job, = finish(fleet, [pipeline_id])
    return check_failed(fleet, job, "runner_system_failure", rb"worker process died") + fleet.leftovers()


def everything_killed(fleet):
    """Manager, spawner, worker and shells of one agent at once, as a machine that loses its power."""
    pipeline_id, job_id, agent = one_running(fleet, "everything", LONG)
    worker = wait_for("worker", 10, lambda: agent.worker(job_id))
    victims = [p.pid for p in fleets.processes.below(agent.process.pid)]
    assert worker in victims
    agent.kill()
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    agent.start()
    job, = finish(fleet, [pipeline_id])
    return check_failed(fleet, job, "runner_system_failure", rb"worker process died") + fleet.leftovers()


def terminated(fleet):
    """SIGTERM: the job is interrupted and reported, the manager ends in order."""
    pipeline_id, job_id, agent = one_running(fleet, "terminated", LONG)
    agent.process.send_signal(signal.SIGTERM)
    status = agent.process.wait(20)
    problems = [] if status == 0 else ["the manager ended with status %d" % status]
    job = fleet.job(job_id)
    problems += check_failed(fleet, job, "runner_interrupted", rb"aborted: terminated")
    return problems + fleet.leftovers()


def taken_over_then_terminated(fleet):
    """The same to a manager that has taken the job over."""
    pipeline_id, job_id, agent = one_running(fleet, "inherited", LONG)
    agent.kill()
    agent.start()
    wait_for("taking over", 10, lambda: b"Taking over a running job" in open(agent.log.name, "rb").read(), 0.05)
    agent.process.send_signal(signal.SIGTERM)
    status = agent.process.wait(20)
    problems = [] if status == 0 else ["the manager ended with status %d" % status]
    problems += check_failed(fleet, fleet.job(job_id), "runner_interrupted", rb"aborted: terminated")
    return problems + fleet.leftovers()


def canceled_after_take_over(fleet):
    """A job that was canceled while another manager has it ends as canceled, with its after_script."""
    pipeline_id, job_id, agent = one_running(fleet, "canceled", LONG)
    agent.kill()
    fleet.api("POST", "projects/%d/jobs/%d/cancel" % (fleet.project["id"], job_id))
    agent.start()
    job, = finish(fleet, [pipeline_id])
    log = plain_log(fleet, job_id)
    problems = [] if job["status"] == "canceled" else ["job %d: %s" % (job_id, job["status"])]
    if b"\nafter" not in log:
        problems.append("job %d: after_script did not run: %r" % (job_id, log[-300:]))
    return problems + fleet.leftovers()


def drained(fleet):
    """SIGQUIT to all: what runs goes on to its end, what waits keeps waiting."""
    fleet.start()
    pipelines = [fleet.push("drained", pipeline(fleet, 3 * AGENTS * CONCURRENT, "1"))]
    running(fleet, pipelines, AGENTS)
    problems = fleet.stop_agents(signal.SIGQUIT)
    states = [job["status"] for job in fleet.jobs(pipelines[0])]
    if set(states) != {"success", "pending"}:
        problems.append("after the stop: %s" % {state: states.count(state) for state in set(states)})
    fleet.start()
    return problems + check_all(fleet, finish(fleet, pipelines))


SCENARIOS = [storm, nobody_is_safe, all_at_once, coordinator_killed, coordinator_frozen, worker_killed,
             worker_killed_unwatched, everything_killed, terminated, taken_over_then_terminated,
             canceled_after_take_over, drained]


def run(scenario, binary):
    started = time.monotonic()
    print("%s: %s" % (scenario.__name__, scenario.__doc__.strip().splitlines()[0]), flush=True)
    fleet = fleets.Fleet(binary, AGENTS, CONCURRENT)
    problems = []
    try:
        problems = scenario(fleet)
    except (fleets.Timeout, RuntimeError, OSError, AssertionError) as error:
        problems = ["%s: %s" % (type(error).__name__, error)]
        problems += ["process: %s" % process for process in fleet.strangers()[:20]]
    finally:
        problems += fleet.close(keep=bool(os.environ.get("FLEET_KEEP")) or bool(problems))
    for problem in problems[:40]:
        print("  " + problem)
    print("  %s, %.1f s" % ("FAILED" if problems else "ok", time.monotonic() - started), flush=True)
    return not problems


def main():
    binary = os.environ.get("FORERUNNER")
    if not binary:
        print("FORERUNNER is not set to the program")
        return 77
    wanted = sys.argv[1:]
    known = {scenario.__name__: scenario for scenario in SCENARIOS}
    for name in wanted:
        if name not in known:
            print("no scenario %s; there are: %s" % (name, ", ".join(known)))
            return 2
    if "FLEET_SEED" not in os.environ:
        print("FLEET_SEED=%d" % SEED, flush=True)
    if len(wanted) == 1:
        return 0 if run(known[wanted[0]], os.path.abspath(binary)) else 1
    # Each in a process of its own, which takes in the orphans of its fleet alone. Mostly they wait; the storm does not.
    results = []
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        for name in wanted or known:
            results.append(pool.submit(run_apart, name))
            if name == storm.__name__:
                results[-1].result()
    return 0 if all(result.result() == 0 for result in results) else 1


def run_apart(name):
    done = subprocess.run([sys.executable, "-B", os.path.abspath(__file__), name], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=dict(os.environ, FLEET_SEED=str(SEED)), check=False)
    sys.stdout.write(done.stdout.decode("utf-8", "replace"))
    sys.stdout.flush()
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
