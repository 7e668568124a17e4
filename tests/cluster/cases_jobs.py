"""Jobs with two coordinators: each once, woken across processes, whoever dies."""
import signal
import threading
import time

from client import FEATURES
from cluster import Agents, Waiting, until


def case_a_job_made_at_one_wakes_a_poll_at_the_other(cluster):
    place = cluster.shared
    place.pipeline(1)
    first = place.manager(cluster.a, "s_first")
    job = first.poll()
    assert first.update(job, "running").status == 200 and first.update(job, "success").status == 200
    waits = []
    for number, (here, there) in enumerate(((cluster.b, cluster.a), (cluster.a, cluster.b)) * 3):
        waiting = Waiting(place.manager(here, f"s_sleeper{number}"))
        until("it waits", lambda: cluster.postgres.sql(
            f"SELECT 1 FROM {cluster.schema}.runner_managers WHERE system_id = 's_sleeper{number}'"))
        made = there.api("POST", f"{place.base}/pipeline", {"ref": "main"}, expect=201)
        begun = time.monotonic()
        job = waiting.wait()
        assert job and job["job_info"]["name"] == "j0", (made, job)
        waits.append(waiting.at - begun)
        assert waiting.runner.update(job, "running").status == 200
        assert waiting.runner.update(job, "success").status == 200
    print("      woken after", ", ".join(f"{wait * 1000:.0f} ms" for wait in waits))
    # Without a notice it would be the next look of the housekeeping, seconds later; a slow machine is no failure.
    assert min(waits) < 1, waits


def case_jobs_are_handed_out_once(cluster):
    place = cluster.place()
    pipeline = place.pipeline(120)
    agents = Agents(place, 12)
    agents.wait_for(120)
    agents.stop()
    agents.check(cluster.a, pipeline, 120)
    agents.check(cluster.b, pipeline, 120)


def case_one_is_killed_and_the_database_restarts(cluster):
    place = cluster.place()
    pipeline = place.pipeline(240)
    agents = Agents(place, 12)
    agents.wait_for(50)
    # It is the one that does the housekeeping, and is in the middle of things.
    cluster.a.kill(signal.SIGKILL)
    agents.wait_for(100)
    cluster.postgres.restart()
    agents.wait_for(130)
    cluster.a.start()
    # What A had handed out without the agent's hearing of it is found by B, which does the housekeeping now.
    agents.wait_for(240)
    agents.stop()
    agents.check(cluster.a, pipeline, 240)
    until("the wake-ups are back", lambda: "listening to the database again" in cluster.log())
    case_a_job_made_at_one_wakes_a_poll_at_the_other(cluster)


def case_runners_that_acknowledge_nothing(cluster):
    """As older ones: a job runs as soon as it is handed out, and many pipelines begin at both coordinators at once."""
    place = cluster.place()
    place.tree.push("".join(f"j{i}:\n  script: echo\n" for i in range(5)))
    for number in range(19):
        (cluster.a, cluster.b)[number % 2].api("POST", f"{place.base}/pipeline", {"ref": "main"}, expect=201)
    pipelines = [p["id"] for p in cluster.b.api("GET", place.base + "/pipelines?per_page=100")]
    agents = Agents(place, 10, {**FEATURES, "two_phase_job_commit": False})
    agents.wait_for(100)
    agents.stop()
    assert len(agents.finished) == 100 and all(len(who) == 1 for who in agents.acknowledged.values())
    assert {place.status(cluster.a, pipeline) for pipeline in pipelines} == {"success"}


def case_housekeeping_is_taken_over(cluster):
    """A job that nobody acknowledged comes back although the process that handed it out, and kept house, is gone."""
    place = cluster.place()
    place.pipeline(1)
    before = cluster.log().count("takes over a duty                  duty=housekeeping")
    leader, other = cluster.b, cluster.a
    lost = place.manager(leader, "s_lost").poll()
    assert lost
    leader.kill(signal.SIGKILL)
    manager = place.manager(other, "s_lost")
    found = until("it is handed out anew", manager.poll)
    assert found["id"] == lost["id"] and found["token"] != lost["token"]
    assert manager.update(lost, "running").status == 403
    assert manager.update(found, "running").status == 200 and manager.update(found, "success").status == 200
    leader.start()
    until("one of them keeps house",
          lambda: cluster.log().count("takes over a duty                  duty=housekeeping") >= max(1, before))
    assert place.job(leader, found["id"])["status"] == "success"


def case_a_canceled_job_ends_wherever_its_runner_reports(cluster):
    place = cluster.place()
    pipeline = place.push("first: {script: [x]}\nsecond: {script: [x]}\nlast: {stage: deploy, script: [x]}\n")
    at_a, at_b = place.manager(cluster.a, "s_a"), place.manager(cluster.b, "s_b")
    jobs = [at_a.poll(), at_b.poll()]
    for runner, job in zip((at_b, at_a), jobs):  # each goes on at the other coordinator
        assert runner.update(job, "running").status == 200
    cluster.a.api("POST", f"{place.base}/pipelines/{pipeline}/cancel", {}, expect=200)
    assert at_b.patch(jobs[0], 0, "x").headers["Job-Status"] == "canceling"
    assert at_a.update(jobs[1], "running").headers["Job-Status"] == "canceling"
    assert at_b.update(jobs[0], "failed").headers["Job-Status"] == "canceled"
    assert at_b.update(jobs[1], "failed").headers["Job-Status"] == "canceled"
    assert place.status(cluster.b, pipeline) == "canceled"


def case_ends_at_the_same_moment(cluster):
    """The last two jobs of a stage end at different coordinators at once: the next stage begins, always."""
    place = cluster.place()
    place.tree.push("stages: [one, two]\na: {stage: one, script: [x]}\nb: {stage: one, script: [x]}\n"
                    "c: {stage: two, script: [x]}\n")
    runners = [place.manager(cluster.a, "s_a"), place.manager(cluster.b, "s_b")]
    for round_ in range(15):
        if round_:
            cluster.b.api("POST", f"{place.base}/pipeline", {"ref": "main"}, expect=201)
        jobs = [runner.poll() for runner in runners]
        for runner, job in zip(runners, jobs):
            assert runner.update(job, "running").status == 200
        barrier = threading.Barrier(2)

        def end(runner, job):
            barrier.wait()
            runner.update(job, "success")

        ends = [threading.Thread(target=end, args=pair) for pair in zip(runners, jobs)]
        for thread in ends:
            thread.start()
        for thread in ends:
            thread.join()
        last = runners[round_ % 2].poll()
        assert last and last["job_info"]["name"] == "c", (round_, last)
        assert runners[0].update(last, "running").status == 200 and runners[1].update(last, "success").status == 200
        newest = max(p["id"] for p in cluster.b.api("GET", place.base + "/pipelines"))
        assert place.status(cluster.b, newest) == "success"
