"""What people and runners do at one coordinator is there at the other at once."""
import io
import os
import shutil
import subprocess
import tempfile
import zipfile

from browser import Visitor
from client import Runner
from cluster import ROOT_PASSWORD, Waiting, until


def case_a_session_is_good_at_both(cluster):
    visitor = Visitor(cluster.a)
    assert visitor.sign_in("root", ROOT_PASSWORD).status == 200
    visitor.server = cluster.b
    assert visitor.user()["username"] == "root"
    # Changes need the session's CSRF token, which B must know as well.
    assert visitor.send("PUT", "/-/web/profile", {"name": "Root at B"}).status == 200
    visitor.server = cluster.a
    assert visitor.user()["name"] == "Root at B"
    cookie, csrf = visitor.cookie, visitor.csrf
    visitor.server = cluster.b
    assert visitor.send("DELETE", "/-/web/session").status == 200
    again = Visitor(cluster.a)
    again.cookie, again.csrf = cookie, csrf
    assert again.user() is None


def case_guesses_count_at_both(cluster):
    user = cluster.a.api("POST", "users", {"username": "guessed", "name": "G", "email": "g@example.com",
                                           "password": "what nobody guesses"}, expect=201)
    refused = []
    for number in range(12):
        visitor = Visitor((cluster.a, cluster.b)[number % 2])
        refused.append(visitor.sign_in(user["username"], f"guess {number}").status)
    assert refused[:10] == [refused[0]] * 10 and refused[0] in (401, 403, 422), refused
    assert refused[10:] == [429, 429], refused


def case_a_runner_registers_and_is_watched_elsewhere(cluster):
    visitor = Visitor(cluster.a)
    assert visitor.sign_in("root", ROOT_PASSWORD).status == 200
    made = cluster.a.api("POST", "user/runners", {"runner_type": "instance_type", "description": "of both"}, expect=201)
    page = f"/-/web/runners/{made['id']}"
    assert not cluster.b.api("GET", f"runners/{made['id']}/managers")
    before = visitor.get(page).json
    directory = tempfile.mkdtemp(prefix="cluster-agent-")
    try:
        done = subprocess.run([cluster.program, "register", "--non-interactive", "--config", directory + "/config.toml",
                               "--url", cluster.b.url, "--token", made["token"], "--executor", "shell"],
                              capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": directory})
        assert done.returncode == 0, done.stderr
    finally:
        shutil.rmtree(directory)
    after = visitor.get(page).json
    assert before != after, "the page that was opened at A does not show it"
    managers = cluster.a.api("GET", f"runners/{made['id']}/managers")
    assert len(managers) == 1 and managers[0]["contacted_at"], managers
    # It polls at B; the list at A counts it as online.
    assert Runner(cluster.b, made["token"], managers[0]["system_id"]).poll() is None
    row = next(r for r in visitor.get("/-/web/runners?scope=admin&search=of+both").json["runners"])
    assert row["status"] == "online", row
    # The token is shown no more, by either.
    for server in (cluster.a, cluster.b):
        assert made["token"] not in server.send("GET", page, None, {"Cookie": f"_forerunner_session={visitor.cookie}"}
                                                ).body.decode()


def case_edits_reach_polls_at_the_other(cluster):
    place = cluster.place()
    runner = f"runners/{place.runner['id']}"
    cluster.a.api("PUT", runner, {"run_untagged": False, "tag_list": ["elsewhere"]}, expect=200)
    place.pipeline(2)
    waiting = Waiting(place.manager(cluster.b))
    until("it has asked", lambda: cluster.a.api("GET", f"{runner}/managers"))
    cluster.a.api("PUT", runner, {"run_untagged": True}, expect=200)
    job = waiting.wait()
    assert job, "the edit did not reach the waiting poll"
    manager = waiting.runner
    assert manager.update(job, "running").status == 200 and manager.update(job, "success").status == 200
    # Paused at A: B hands nothing out. Resumed: it does.
    cluster.a.api("PUT", runner, {"paused": True}, expect=200)
    assert manager.poll() is None
    cluster.a.api("PUT", runner, {"paused": False}, expect=200)
    job = Waiting(manager).wait()
    assert job and manager.update(job, "running").status == 200 and manager.update(job, "success").status == 200
    # Deleted at A: the waiting poll at B ends, the next one is refused.
    waiting = Waiting(manager)
    cluster.a.api("DELETE", runner, expect=204)
    try:
        assert waiting.wait() is None
    except AssertionError as refused:  # it came after the deletion
        assert "403" in str(refused), refused
    assert manager.call("POST", "jobs/request", {"token": place.runner["token"], "system_id": "s_1"}).status == 403


def case_switches_count_at_once(cluster):
    try:
        cluster.a.api("PUT", "application/settings", {"allow_runner_registration_token": True}, expect=200)
        token = cluster.a.api("POST", "runners/reset_registration_token", {}, expect=201)["token"]
        ask = {"token": token, "description": "by the old way"}
        made = cluster.b.send("POST", "/api/v4/runners", ask)
        assert made.status == 201, made.body
        cluster.a.api("PUT", "application/settings", {"allow_runner_registration_token": False}, expect=200)
        assert cluster.b.send("POST", "/api/v4/runners", ask).status in (403, 410)
        # What is there goes on.
        assert cluster.b.send("POST", "/api/v4/runners/verify", {"token": made.json["token"]}).status == 200
    finally:
        cluster.b.api("PUT", "application/settings", {"allow_runner_registration_token": False}, expect=200)


def case_limits_reach_the_other(cluster):
    """They are kept in memory; a notice says that they changed."""
    place = cluster.place()
    name = "runner_jobs_request_api_limit"
    before = cluster.a.api("GET", "application/settings")[name]

    def ask():
        return place.manager(cluster.b).call("POST", "jobs/request", {"token": place.runner["token"], "system_id": "s_1"})

    assert ask().status == 204
    try:
        cluster.a.api("PUT", "application/settings", {name: 1}, expect=200)
        until("B refuses the second request of a minute", lambda: ask().status == 429)
    finally:
        cluster.a.api("PUT", "application/settings", {name: before}, expect=200)
    until("B serves again", lambda: ask().status == 204)


def case_a_rotated_token_counts_at_both(cluster):
    place = cluster.place()
    hosts = [place.manager(cluster.a, "s_one"), place.manager(cluster.b, "s_two")]
    for host in hosts:
        assert host.poll() is None
    old = place.runner["token"]
    new = cluster.a.send("POST", "/api/v4/runners/reset_authentication_token", {"token": old}).json["token"]
    assert new != old
    hosts[0].token, hosts[0].last_update = new, ""
    hosts[0].server, hosts[0].connection = cluster.b, cluster.b.connection()
    assert hosts[0].poll() is None
    # The other host is not locked out, wherever it asks, and learns the same new one.
    answer = hosts[1].call("POST", "jobs/request", {"token": old, "system_id": "s_two"})
    assert answer.status == 204 and answer.headers["X-Forerunner-Token-Replaced"] == "1", dict(answer.headers)
    fetched = cluster.b.send("POST", "/api/v4/runners/reset_authentication_token", {"token": old, "system_id": "s_two"})
    assert fetched.json["token"] == new, fetched.body


def case_tokens_of_people_end_at_both(cluster):
    made = cluster.a.api("POST", "users/1/personal_access_tokens", {"name": "t", "scopes": ["api"]}, expect=201)
    ask = {"PRIVATE-TOKEN": made["token"]}
    assert cluster.b.send("GET", "/api/v4/user", None, ask).status == 200
    cluster.b.api("DELETE", f"personal_access_tokens/{made['id']}", expect=204)
    assert cluster.a.send("GET", "/api/v4/user", None, ask).status == 401


def case_logs_artifacts_and_git_across(cluster):
    place = cluster.place()
    place.push("build: {script: [x], artifacts: {paths: [out]}}\nuse: {stage: deploy, script: [x]}\n")
    at_b = place.manager(cluster.b)
    job = at_b.poll()
    assert at_b.update(job, "running").status == 200
    # The job's own clone, from the other coordinator than the push went to.
    fetch = place.tree.git("fetch", "-q", job["git_info"]["repo_url"].replace(cluster.a.url, cluster.b.url),
                           job["git_info"]["refspecs"][0])
    assert fetch.returncode == 0
    visitor = Visitor(cluster.a)
    assert visitor.sign_in("root", ROOT_PASSWORD).status == 200
    text = ""
    for line in ("one\n", "two\n", "three\n"):
        runner = at_b if line != "two\n" else place.manager(cluster.a)
        assert runner.patch(job, len(text), line).status == 202
        text += line
        assert place.trace(cluster.a, job["id"]) == text.encode() == place.trace(cluster.b, job["id"])
        live = visitor.get(f"/-/web/projects/{place.project['id']}/jobs/{job['id']}/trace")
        assert live.status == 200 and line.strip() in live.body.decode(), live.body
    # A wrong offset is told the true size by whoever is asked.
    assert place.manager(cluster.a).patch(job, 3, "x").headers["Range"] == f"0-{len(text)}"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("out/a.txt", "made at B")
    assert place.manager(cluster.a).upload(job, packed.getvalue(), artifact_type="archive",
                                           artifact_format="zip").status == 201
    assert at_b.update(job, "success").status == 200
    use = at_b.poll()
    assert use["job_info"]["name"] == "use"
    assert place.manager(cluster.a).update(use, "running").status == 200
    got = at_b.download(job["id"], use["dependencies"][0]["token"])
    assert got.status == 200 and got.body == packed.getvalue()
    single = cluster.b.api("GET", f"{place.base}/jobs/{job['id']}/artifacts/out/a.txt")
    assert single == b"made at B", single
    assert place.manager(cluster.a).update(use, "success").status == 200
    cluster.b.api("POST", f"{place.base}/jobs/{job['id']}/erase", {}, expect=201)
    assert place.trace(cluster.a, job["id"]) == b""
    assert cluster.a.send("GET", f"/api/v4/{place.base}/jobs/{job['id']}/artifacts", None,
                          {"PRIVATE-TOKEN": "glpat-black-box-root-token"}).status == 404
