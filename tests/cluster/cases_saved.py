"""Back-up while jobs run, and what the restored server is good for: everything."""
import os
import shutil
import subprocess
import tempfile
import types

from browser import Visitor
from client import TOKEN, Coordinator, Tree
from cluster import PATIENCE, ROOT_PASSWORD, Agents, Place, until

JOBS = 150


def command(program, *arguments):
    return subprocess.run([program, "coordinator", *arguments], capture_output=True, text=True, timeout=PATIENCE)


def prepare(place, server):
    """A pipeline whose first job left a log and an artifact, and whose second waits for it; one more job for ever."""
    place.tree.push("stages: [build, use]\nbuild: {stage: build, script: [x], artifacts: {paths: [out]}}\n"
                    "use: {stage: use, script: [x]}\n")
    manager = place.manager(server, "s_host")
    build = manager.poll()
    assert manager.update(build, "running").status == 200
    assert manager.patch(build, 0, "built\n").status == 202
    assert manager.upload(build, b"PK artifact", artifact_type="archive", artifact_format="zip").status == 201
    assert manager.update(build, "success").status == 200
    cluster = place.cluster
    cluster.a.api("PUT", f"runners/{place.runner['id']}", {"tag_list": ["later"], "run_untagged": False}, expect=200)
    return build["id"]


def work(cluster, during):
    """Jobs run at a project of their own while `during` is done."""
    busy = Place(cluster, "busy")
    pipeline = busy.pipeline(JOBS)
    agents = Agents(busy, 6)
    agents.wait_for(JOBS // 5)
    during()
    agents.wait_for(JOBS * 2 // 5)
    before = len(agents.finished)
    assert before < JOBS, "the back-up took longer than the work: more jobs"
    agents.stop()
    return busy, pipeline, agents


def check_restored(server, place, build, busy, pipeline):
    visitor = Visitor(server)
    assert visitor.sign_in("root", ROOT_PASSWORD).status == 200
    assert visitor.get(f"/-/web/projects/{place.project['id']}/jobs/{build}").status == 200
    # Logs, artifacts, the repository.
    assert place.trace(server, build) == b"built\n"
    assert server.api("GET", f"{place.base}/jobs/{build}/artifacts") == b"PK artifact"
    clone = Tree("")
    try:
        url = server.url.replace("://", f"://root:{TOKEN}@") + "/root/kept.git"
        clone.git("pull", "-q", url, "main")
        assert clone.git("rev-parse", "HEAD").stdout == place.tree.git("rev-parse", "HEAD").stdout
        assert os.path.exists(clone.directory + "/.gitlab-ci.yml")
    finally:
        shutil.rmtree(clone.directory)
    # What was done by then has its whole log.
    done = [job for job in busy.jobs(server, pipeline) if job["status"] == "success"]
    assert JOBS // 5 <= len(done) < JOBS, len(done)
    for job in done:
        log = busy.trace(server, job["id"])
        assert log.startswith(f"job {job['id']} by ".encode()) and log.endswith(b"\n"), (job["id"], log)
    # The runner goes on with its old token, and gets a job; so do the hosts of the other project.
    manager = place.manager(server, "s_host")
    assert manager.poll() is None
    server.api("PUT", f"runners/{place.runner['id']}", {"run_untagged": True}, expect=200)
    use = until("the runner gets its job", manager.poll)
    assert use["job_info"]["name"] == "use", use["job_info"]
    assert manager.update(use, "running").status == 200
    assert manager.download(build, use["dependencies"][0]["token"]).body == b"PK artifact"
    assert manager.update(use, "success").status == 200
    other = busy.manager(server, "s_agent0")
    job = until("a job that was pending", other.poll)
    assert other.update(job, "running").status == 200 and other.update(job, "success").status == 200
    assert server.api("GET", "audit_events?per_page=1")


def refuse_damaged(program, file, directory):
    with open(file, "rb") as archive:
        content = archive.read()
    third = len(content) // 3
    for number, damaged in enumerate((content[: len(content) // 2], content[:third] + bytes(64) + content[third + 64:],
                                      content[: 2 * third] + b"!" * 64 + content[2 * third + 64:])):
        path, target = f"{directory}/damaged{number}.zip", f"{directory}/damaged{number}"
        with open(path, "wb") as archive:
            archive.write(damaged)
        refused = command(program, "restore", "--data-dir", target, "--from", path)
        assert refused.returncode == 1 and refused.stderr, (number, refused)
        assert not os.path.exists(target) or not os.listdir(target), (number, os.listdir(target))


def case_back_up_of_the_embedded_database(cluster):
    directory = tempfile.mkdtemp(prefix="saved-")
    server = Coordinator(cluster.program, directory)
    server.environment.update(FORERUNNER_DATABASE="", FORERUNNER_ROOT_PASSWORD=ROOT_PASSWORD)
    server.start()
    alone = types.SimpleNamespace(a=server, b=server, trees=[])
    again = None
    try:
        place = Place(alone, "kept")
        build = prepare(place, server)
        file = directory + "/saved.zip"

        def save():
            saved = command(cluster.program, "backup", "--data-dir", directory + "/data", "--to", file)
            assert saved.returncode == 0, saved.stderr
            assert os.stat(file).st_mode & 0o777 == 0o600

        busy, pipeline, _ = work(alone, save)
        server.kill()
        refuse_damaged(cluster.program, file, directory)
        os.mkdir(directory + "/again")
        restored = command(cluster.program, "restore", "--data-dir", directory + "/again/data", "--from", file)
        assert restored.returncode == 0, restored.stderr
        again = Coordinator(cluster.program, directory + "/again")
        again.environment.update(FORERUNNER_DATABASE="", FORERUNNER_ROOT_TOKEN="", FORERUNNER_ROOT_PASSWORD="")
        again.start()
        check_restored(again, place, build, busy, pipeline)
    finally:
        for process in (server, again):
            if process and process.process.poll() is None:
                process.kill()
        for tree in alone.trees:
            shutil.rmtree(tree.directory)
        shutil.rmtree(directory)


def case_back_up_of_both_with_postgresql(cluster):
    """pg_dump, then the data directory; into another database."""
    directory = tempfile.mkdtemp(prefix="saved-")
    again = None
    try:
        place = Place(cluster, "kept")
        build = prepare(place, cluster.b)
        file, dump = directory + "/saved.zip", directory + "/dump"

        def save():
            cluster.postgres.run_client("pg_dump", "-Fc", "-n", cluster.schema, "-f", dump, "-d", "postgres")
            saved = command(cluster.program, "backup", "--data-dir", cluster.directory + "/data", "--to", file)
            assert saved.returncode == 0 and "pg_dump" in saved.stderr, saved.stderr

        busy, pipeline, agents = work(cluster, save)
        restored = command(cluster.program, "restore", "--data-dir", directory + "/data", "--from", file)
        assert restored.returncode == 0 and "pg_restore" in restored.stderr, restored.stderr
        cluster.postgres.run_client("createdb", "again")
        cluster.postgres.run_client("pg_restore", "-d", "again", dump)
        again = Coordinator(cluster.program, directory)
        again.environment.update(FORERUNNER_DATABASE=cluster.postgres.url(cluster.schema, "again"),
                                 FORERUNNER_ROOT_TOKEN="", FORERUNNER_ROOT_PASSWORD="")
        again.start()
        check_restored(again, place, build, busy, pipeline)
    finally:
        if again and again.process.poll() is None:
            again.kill()
        shutil.rmtree(directory)
