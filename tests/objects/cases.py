"""Black-box cases: each function named case_* runs against every service."""

import http.client
import io
import os
import sys
import tempfile
import time
import traceback
import urllib.parse
import zipfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "coordinator"))
from client import TOKEN, Coordinator, Runner, Tree  # noqa: E402

import services  # noqa: E402

PIPELINE = "make: {script: [make], artifacts: {paths: [out]}}\nuse: {stage: deploy, script: [use]}\n"


def until(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"waited in vain for: {what}"
        time.sleep(0.05)
    return found


def archive(size):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        file.writestr("out/blob.bin", os.urandom(size))
        file.writestr("out/page.html", "<h1>hello</h1>")
        file.writestr("out/ä ö/x.txt", "deep", zipfile.ZIP_DEFLATED)
    return out.getvalue()


class World:
    def __init__(self, service, directory):
        self.service = service
        self.server = Coordinator(os.environ["FORERUNNER"], directory, "--object-store", service.location())
        self.directory = directory
        self.start()
        self.project = self.server.api("POST", "projects", {"name": "demo"}, expect=201)
        self.base = f"projects/{self.project['id']}"
        token = self.server.api("POST", "user/runners", {
            "runner_type": "project_type", "project_id": self.project["id"]}, expect=201)["token"]
        self.runner = Runner(self.server, token)
        self.tree = Tree(self.server.url.replace("http://", f"http://root:{TOKEN}@") + "/root/demo.git")

    def start(self):
        self.server.environment.update(self.service.credentials)
        self.server.start()

    def job(self):
        self.tree.push(PIPELINE)
        self.runner.connection = self.server.connection()
        job = self.runner.poll()
        assert job and job["job_info"]["name"] == "make", job
        assert self.runner.update(job, "running").status == 200
        return job

    def get(self, path, **headers):
        return self.server.send("GET", f"/api/v4/{self.base}/jobs/{path}", None, {"PRIVATE-TOKEN": TOKEN, **headers})

    def upload(self, job, content, name="artifacts.zip", **query):
        """As a runner does, which tries again after a 503: moto refuses the parts of some of its own uploads."""
        for _ in range(8):
            answer = self.runner.upload(job, content, name, **query)
            if answer.status != 503 or self.service.name != "moto":
                break
        assert answer.status == 201, (answer.status, answer.body)

    def keys(self, part):
        return [key for key in self.service.keys() if part in key]


def case_artifacts(world):
    """Up in parts, down whole, by ranges, by a URL of the store, as single files; gone when deleted."""
    job = world.job()
    content = archive(20_000_000)  # three parts
    world.upload(job, content)
    world.upload(job, content)  # the same again
    until("the second copy to go", lambda: len(world.keys("artifacts/")) == 1)
    world.upload(job, b"{}", "sast.json", artifact_type="sast", artifact_format="raw")
    number = job["id"]
    assert world.get(f"{number}/artifacts").body == content
    part = world.get(f"{number}/artifacts", Range="bytes=8388600-8388700")
    assert (part.status, part.body) == (206, content[8388600:8388701])
    assert world.get(f"{number}/artifacts", Range="bytes=-10").body == content[-10:]
    shown = world.server.api("GET", f"{world.base}/jobs/{number}")
    assert shown["artifacts_file"]["size"] == len(content), shown
    assert shown["artifacts_metadata"]["entries"] == 3, shown
    page = world.get(f"{number}/artifacts/out/page.html")
    assert (page.status, page.body) == (200, b"<h1>hello</h1>"), (page.status, page.body)
    assert page.headers["Content-Disposition"].startswith("attachment"), page.headers
    assert "sandbox" in page.headers["Content-Security-Policy"] and page.headers["X-Content-Type-Options"] == "nosniff"
    deep = world.get(f"{number}/artifacts/" + urllib.parse.quote("out/ä ö/x.txt"))
    assert (deep.status, deep.body) == (200, b"deep"), (deep.status, deep.body)
    blob = world.get(f"{number}/artifacts/out/blob.bin")
    assert len(blob.body) == 20_000_000 and blob.body in content
    assert world.get(f"{number}/artifacts/out/none").status == 404
    direct = world.get(f"{number}/artifacts?direct_download=true")
    if world.service.name == "folder":
        assert direct.status == 200 and direct.body == content
    else:
        assert direct.status == 302, (direct.status, direct.body)
        url = urllib.parse.urlsplit(direct.headers["Location"])
        elsewhere = http.client.HTTPConnection(url.hostname, url.port)
        elsewhere.request("GET", f"{url.path}?{url.query}")
        answer = elsewhere.getresponse()
        assert (answer.status, answer.read()) == (200, content), answer.status
        if world.service.name == "moto":  # s3rver looks at no signature of this version
            elsewhere.request("GET", f"{url.path}?" + url.query.replace("X-Amz-Signature=", "X-Amz-Signature=0"))
            refused = elsewhere.getresponse()
            assert refused.status == 403, (refused.status, refused.read())
    assert world.runner.update(job, "success").status == 200
    use = world.runner.poll()
    assert world.runner.update(use, "running").status == 200
    source = use["dependencies"][0]
    plain = world.runner.call("GET", f"jobs/{source['id']}/artifacts", None, {"JOB-TOKEN": source["token"]})
    assert plain.body == content
    assert world.server.api("DELETE", f"{world.base}/jobs/{number}/artifacts") == b""
    until("the objects to go", lambda: not world.keys("artifacts/"))
    assert world.get(f"{number}/artifacts").status == 404


def case_logs(world):
    """Appended at exact offsets, moved when the job has ended, read by ranges, erased."""
    job = world.job()
    log = b"".join(b"line %d \xff\x00 of many\n" % i for i in range(100_000))
    at = 0
    while at < len(log):
        piece = log[at:at + 700_000]
        assert world.runner.patch(job, at, piece).status == 202
        at += len(piece)
    again = world.runner.patch(job, 0, b"other")
    assert (again.status, again.headers["Range"]) == (416, f"0-{len(log)}"), again.headers
    number = job["id"]
    assert world.get(f"{number}/trace").body == log
    assert world.runner.update(job, "success").status == 200
    if world.service.name != "folder":
        until("the log to move", lambda: world.keys("traces/"))
        until("the live log to go", lambda: not any(
            files for _, _, files in os.walk(world.directory + "/data/traces")))
    assert world.get(f"{number}/trace").body == log
    part = world.get(f"{number}/trace", Range="bytes=1000000-1000099")
    assert (part.status, part.body) == (206, log[1000000:1000100])
    assert part.headers["Content-Type"].startswith("text/plain")
    assert world.server.api("POST", f"{world.base}/jobs/{number}/erase")["erased_at"]
    assert world.get(f"{number}/trace").body == b""
    until("the object to go", lambda: not world.keys("traces/"))


def case_killed_before_the_log_moved(world):
    """kill -9 just after the end: the next process moves it, nothing is lost."""
    job = world.job()
    assert world.runner.patch(job, 0, b"until the end\n").status == 202
    assert world.runner.update(job, "success").status == 200
    world.server.kill()
    world.start()
    assert world.get(f"{job['id']}/trace").body == b"until the end\n"
    until("the log in the store", lambda: world.keys("traces/"))
    assert world.get(f"{job['id']}/trace").body == b"until the end\n"


def case_the_store_goes_away(world):
    """While it is away uploads fail with 5xx and the runner may try again; jobs and logs go on."""
    if world.service.name != "s3rver":
        return  # moto forgets everything when it stops
    job = world.job()
    world.service.stop()
    refused = world.runner.upload(job, archive(1000))
    assert refused.status in (500, 502, 503), refused.status
    world.runner.connection = world.server.connection()
    assert world.runner.patch(job, 0, b"still here\n").status == 202
    assert world.get(f"{job['id']}/trace").body == b"still here\n"
    world.service.start()
    content = archive(1000)
    world.upload(job, content)
    assert world.get(f"{job['id']}/artifacts").body == content


def case_a_deleted_project_takes_its_objects(world):
    job = world.job()
    world.upload(job, archive(1000))
    assert world.runner.patch(job, 0, b"log\n").status == 202
    assert world.keys("artifacts/")
    world.server.api("DELETE", world.base, expect=202)
    until("the objects to go", lambda: not world.keys("artifacts/"))


def case_no_secret_is_told(world):
    """Neither the log of the coordinator nor its list of arguments nor an answer holds the key."""
    if not world.service.credentials:
        return
    secret = world.service.credentials["AWS_SECRET_ACCESS_KEY"]
    job = world.job()
    world.upload(job, archive(1000))
    if secret != "S3RVER":
        with open(world.directory + "/coordinator.log") as file:
            assert secret not in file.read()
    with open(f"/proc/{world.server.process.pid}/cmdline") as file:
        assert secret not in file.read()
    wrong = Coordinator(os.environ["FORERUNNER"], tempfile.mkdtemp(), "--object-store", "s3://key:hush@bucket/x")
    try:
        wrong.start()
        raise SystemExit("a location with credentials was accepted")
    except AssertionError:
        with open(wrong.directory + "/coordinator.log") as file:
            text = file.read()
        assert "credentials" in text and "hush" not in text, text


def main():
    if not services.install():
        return 77
    wanted = sys.argv[1:]
    cases = [(name, case) for name, case in globals().items() if name.startswith("case_")]
    failures = 0
    for kind in (services.Folder, services.S3rver, services.Moto):
        for name, case in cases:
            if wanted and not any(word in f"{kind.name}:{name}" for word in wanted):
                continue
            began = time.monotonic()
            with tempfile.TemporaryDirectory(prefix="objects-") as directory:
                service, world = kind(directory), None
                try:
                    world = World(service, directory)
                    case(world)
                    verdict = "ok"
                except Exception:  # noqa: BLE001
                    failures += 1
                    verdict = "FAILED\n" + traceback.format_exc()
                    if world:
                        with open(directory + "/coordinator.log") as file:
                            verdict += file.read()[-2000:]
                finally:
                    if world and world.server.process:
                        world.server.kill()
                    service.stop()
            print(f"{kind.name}:{name[5:]}: {verdict} ({time.monotonic() - began:.1f} s)", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
