"""S3 services as processes, installed with fixed versions below build/."""

import os
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.request

HOME = pathlib.Path(__file__).resolve().parents[2] / "build" / "tests-objects"


def install():
    """False, with the reason printed, when the registries cannot be reached."""
    HOME.mkdir(parents=True, exist_ok=True)
    steps = []
    if not (HOME / "node_modules/.bin/s3rver").exists():
        steps.append(["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(HOME), "s3rver@3.7.1"])
    if not (HOME / "moto/bin/moto_server").exists():
        steps += [[sys.executable, "-m", "venv", str(HOME / "moto")],
                  [str(HOME / "moto/bin/pip"), "install", "-q", "--disable-pip-version-check", "moto[server]==5.1.16"]]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True)
        if done.returncode != 0:
            print("cannot install a service:", " ".join(step), done.stderr[-500:])
            return False
    return True


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service:
    """A bucket "bucket" at self.url; stop() and start() keep its port."""

    credentials = {}

    def __init__(self, directory):
        self.directory, self.port, self.process = directory, free_port(), None
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def location(self, more=""):
        return f"s3://bucket/some/prefix?endpoint={self.url}&region=us-east-1{more}"

    def start(self):
        self.process = subprocess.Popen(self.command(), stdout=open(f"{self.directory}/{self.name}.log", "a"),
                                        stderr=subprocess.STDOUT, env={**os.environ, **self.credentials})
        end = time.monotonic() + 60
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    break
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end, f"{self.name} does not start"
                time.sleep(0.05)
        self.started()

    def started(self):
        pass

    def stop(self):
        self.process.kill()
        self.process.wait()


class S3rver(Service):
    name = "s3rver"
    credentials = {"AWS_ACCESS_KEY_ID": "S3RVER", "AWS_SECRET_ACCESS_KEY": "S3RVER"}

    def command(self):
        return ["node", str(HOME / "node_modules/.bin/s3rver"), "-d", f"{self.directory}/s3rver", "-a", "127.0.0.1",
                "-p", str(self.port), "--configure-bucket", "bucket"]

    def keys(self):
        root = pathlib.Path(self.directory) / "s3rver/bucket"
        ending = "._S3rver_object"
        return sorted(str(path.relative_to(root))[:-len(ending)] for path in root.rglob("*" + ending))


class Moto(Service):
    """moto, behind the verifier of signatures; what the tests ask themselves goes round it."""

    name = "moto"
    credentials = {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "tok+en/="}
    inner = None

    def start(self):
        self.inner = Inner(self.directory)
        super().start()

    def stop(self):
        super().stop()
        self.inner.stop()

    def command(self):
        return [str(HOME / "moto/bin/python"), "-B", str(pathlib.Path(__file__).with_name("verifier.py")),
                str(self.port), str(self.inner.port)]

    def keys(self):
        return self.inner.keys()


class Inner(Service):
    name = "moto-inner"

    def command(self):
        return [str(HOME / "moto/bin/python"), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def started(self):
        self.ask("PUT", "/bucket")

    def ask(self, method, path):
        request = urllib.request.Request(self.url + path, method=method)
        return urllib.request.urlopen(request, timeout=30).read().decode()

    def keys(self):
        return sorted(re.findall("<Key>(.*?)</Key>", self.ask("GET", "/bucket?list-type=2&max-keys=1000")))


class Folder:
    """A shared folder: the same questions, no process."""

    name = "folder"
    credentials = {}

    def __init__(self, directory):
        self.root = pathlib.Path(directory) / "shared"

    def location(self, more=""):
        return str(self.root)

    def keys(self):
        # Folders may go while one looks, which os.walk takes as it comes.
        return sorted(os.path.relpath(os.path.join(folder, name), self.root)
                      for folder, _, names in os.walk(self.root) for name in names)

    def stop(self):
        pass


