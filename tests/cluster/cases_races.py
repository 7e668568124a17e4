"""What goes wrong only when two processes are in the middle of the same thing: one of them is a session of psql that
holds what the coordinator is about to change."""
import hashlib
import os
import threading

from cluster import Waiting, until


def writers_lock(schema):
    """PostgresConnection's number of the lock that a write() holds alone."""
    digest = hashlib.sha256(f"forerunner {schema} write ".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


class InBackground:
    def __init__(self, call):
        self.result = self.error = None

        def run():
            try:
                self.result = call()
            except Exception as error:  # given to who waits
                self.error = error

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def wait(self):
        self.thread.join(120)
        assert not self.thread.is_alive(), "it goes on"
        if self.error:
            raise self.error
        return self.result


def waits_for_lock(cluster):
    return cluster.postgres.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
                                "application_name = 'forerunner'")


def case_a_late_acknowledgement_brings_no_ended_job_back(cluster):
    place = cluster.place()
    place.pipeline(1)
    runner = place.manager(cluster.a)
    job = runner.poll()
    with cluster.postgres.session(cluster.schema) as other:
        other.do("BEGIN")
        other.do(f"UPDATE jobs SET status = 'failed', finished_at = 1, failure_reason = 'runner_system_failure' "
                 f"WHERE id = {job['id']}")
        late = InBackground(lambda: runner.update(job, "running"))
        until("it is in the middle", lambda: waits_for_lock(cluster))
        other.do("COMMIT")
    answer = late.wait()
    assert (answer.status, answer.headers["Job-Status"]) == (403, "failed"), (answer.status, dict(answer.headers))
    assert place.job(cluster.b, job["id"])["status"] == "failed"


def case_two_ends_of_one_job(cluster):
    """The first one counts; the second is told so."""
    place = cluster.place()
    place.pipeline(1)
    at_a, at_b = place.manager(cluster.a), place.manager(cluster.b)
    job = at_a.poll()
    assert at_a.update(job, "running").status == 200
    with cluster.postgres.session(cluster.schema) as other:
        other.do("BEGIN")
        other.do(f"SELECT id FROM jobs WHERE id = {job['id']} FOR UPDATE")
        ends = [InBackground(lambda r=runner, s=state: r.update(job, s)) for runner, state in
                ((at_a, "success"), (at_b, "failed"))]
        until("both are in the middle", lambda: len(waits_for_lock(cluster)) >= 2)
        other.do("COMMIT")
    answers = sorted((end.wait().status, end.wait().headers["Job-Status"]) for end in ends)
    status = place.job(cluster.a, job["id"])["status"]
    assert answers == [(200, status), (403, status)], (answers, status)


def case_a_job_that_somebody_looks_at_is_not_forgotten(cluster):
    """Skipped because another transaction holds it, and that one takes it not: it is handed out all the same."""
    place = cluster.place()
    waiting = Waiting(place.manager(cluster.b))
    until("it has asked", lambda: cluster.a.api("GET", f"runners/{place.runner['id']}/managers"))
    place.tree.push("j0: {script: [x], when: manual, allow_failure: false}\n")
    job = cluster.a.api("GET", place.base + "/jobs")[0]["id"]
    with cluster.postgres.session(cluster.schema) as other:
        other.do("BEGIN")
        other.do(f"UPDATE jobs SET status = 'pending', queued_at = 1 WHERE id = {job}")
        other.do("COMMIT")
        other.do("BEGIN")
        other.do(f"SELECT id FROM jobs WHERE id = {job} FOR UPDATE")
        cluster.a.api("PUT", f"runners/{place.runner['id']}", {"description": "wakes everybody"}, expect=200)
        assert not waiting.over
        other.do("ROLLBACK")
    found = waiting.wait()
    assert found and found["id"] == job, found


def case_a_runner_deleted_between_look_and_write(cluster):
    place = cluster.place()
    with cluster.postgres.session(cluster.schema) as other:
        other.do("BEGIN")
        other.do(f"SELECT pg_advisory_xact_lock({writers_lock(cluster.schema)})")
        first = InBackground(lambda: place.manager(cluster.a, "s_new").call(
            "POST", "jobs/request", {"token": place.runner["token"], "system_id": "s_new"}))
        until("it is in the middle", lambda: waits_for_lock(cluster))
        other.do(f"DELETE FROM runners WHERE id = {place.runner['id']}")
        other.do("COMMIT")
    assert first.wait().status == 403, (first.wait().status, first.wait().body)


def case_two_hosts_rotate_one_token_at_once(cluster):
    place = cluster.place()
    old = place.runner["token"]
    for server, system in ((cluster.a, "s_one"), (cluster.b, "s_two")):
        assert place.manager(server, system).poll() is None
    for _ in range(5):
        resets = [InBackground(lambda s=server, n=name: s.send(
            "POST", "/api/v4/runners/reset_authentication_token", {"token": old, "system_id": n}))
            for server, name in ((cluster.a, "s_one"), (cluster.b, "s_two"))]
        tokens = {reset.wait().json["token"] for reset in resets}
        assert len(tokens) == 1 and old not in tokens, tokens
        old = tokens.pop()
        for server, system in ((cluster.b, "s_one"), (cluster.a, "s_two")):
            answer = place.manager(server, system).call("POST", "jobs/request", {"token": old, "system_id": system})
            assert answer.status == 204 and "X-Forerunner-Token-Replaced" not in answer.headers


def case_a_commit_without_an_answer(cluster):
    """It may have been done: what was stored for it stays."""
    place = cluster.place()
    place.push("a: {script: [x], artifacts: {paths: [out]}}\n")
    runner = place.manager(cluster.a)
    job = runner.poll()
    assert runner.update(job, "running").status == 200
    folder = f"{cluster.directory}/data/artifacts/0/{job['id']}"
    with cluster.postgres.session(cluster.schema) as other:
        other.do("CREATE FUNCTION hang_up() RETURNS trigger LANGUAGE plpgsql AS "
                 "'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'")
        other.do("CREATE CONSTRAINT TRIGGER hang_up AFTER INSERT ON artifacts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
                 "EXECUTE FUNCTION hang_up()")
        lost = runner.upload(job, b"PK", artifact_type="archive", artifact_format="zip")
        assert lost.status == 503, (lost.status, lost.body)
        assert len(os.listdir(folder)) == 1
        other.do("DROP TRIGGER hang_up ON artifacts")
        other.do("DROP FUNCTION hang_up")
    assert runner.upload(job, b"PK", artifact_type="archive", artifact_format="zip").status == 201
    assert cluster.b.api("GET", f"{place.base}/jobs/{job['id']}/artifacts") == b"PK"
    assert runner.update(job, "success").status == 200
