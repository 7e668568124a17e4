#!/usr/bin/env python3
"""A PostgreSQL server of one's own: its data in a temporary directory, a free port, gone afterwards.

With a command line it runs a command against it: postgres.py COMMAND…, with the server's URL in
FORERUNNER_TEST_DATABASE. Needs the package postgresql; as root it runs as user postgres, as the server refuses root."""
import glob
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time

PASSWORD = "a password/with@signs?"
PASSWORD_ENCODED = "a%20password%2Fwith%40signs%3F"


def programs():
    """The folder of initdb and postgres, None when they are not installed."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
    if found:
        return os.path.dirname(found[-1])
    on_path = shutil.which("postgres")
    return os.path.dirname(on_path) if on_path else None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Postgres:
    def __init__(self, durable=False):
        self.bin = programs()
        if self.bin is None:
            raise FileNotFoundError("no PostgreSQL server is installed (package postgresql)")
        self.dir = tempfile.mkdtemp(prefix="forerunner-postgres-")
        self.port = free_port()
        self.process = None
        self.durable = durable
        self.identity = {}
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.dir, user.pw_uid, user.pw_gid)
            self.identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        password = os.path.join(self.dir, "password")
        with open(password, "w") as file:
            file.write(PASSWORD)
        os.chmod(password, 0o644)
        self._run("initdb", "-D", self.data, "-U", "forerunner", "-A", "scram-sha-256", f"--pwfile={password}",
                  "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        self.start()

    @property
    def data(self):
        return os.path.join(self.dir, "data")

    def url(self, schema=None, database="postgres"):
        url = f"postgresql://forerunner:{PASSWORD_ENCODED}@127.0.0.1:{self.port}/{database}"
        return url + (f"?options=-csearch_path%3D{schema}" if schema else "")

    def _run(self, program, *arguments):
        done = subprocess.run([os.path.join(self.bin, program), *arguments], cwd=self.dir, capture_output=True,
                              text=True, **self.identity)
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")

    def start(self):
        settings = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.dir,
            "max_connections": 200, "shared_buffers": "64MB", "logging_collector": "off",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        log = open(os.path.join(self.dir, "log"), "a")
        self.process = subprocess.Popen(
            [os.path.join(self.bin, "postgres"), "-D", self.data] + [f"-c{k}={v}" for k, v in settings.items()],
            cwd=self.dir, stdout=log, stderr=log, **self.identity)
        for _ in range(600):
            if self.process.poll() is not None:
                raise RuntimeError("PostgreSQL did not start: " + open(log.name).read()[-2000:])
            ready = subprocess.run([os.path.join(self.bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)])
            if ready.returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError("PostgreSQL does not become ready")

    def stop(self, mode="fast"):
        if self.process and self.process.poll() is None:
            self._run("pg_ctl", "stop", "-D", self.data, "-m", mode, "-w")
            self.process.wait()
        self.process = None

    def restart(self):
        self.stop()
        self.start()

    def run_client(self, program, *arguments):
        """psql, pg_dump, …; what it printed."""
        done = subprocess.run([os.path.join(self.bin, program), "-h", "127.0.0.1", "-p", str(self.port), "-U",
                               "forerunner", *arguments], capture_output=True, text=True,
                              env={**os.environ, "PGPASSWORD": PASSWORD})
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stderr}")
        return done.stdout

    def sql(self, statement):
        """The first column of each row, as text."""
        return self.run_client("psql", "-X", "-A", "-t", "-q", "-d", "postgres", "-c", statement).splitlines()

    def session(self, schema):
        return Session(self, schema)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)


class Session:
    """psql that stays: what one statement locks is locked until a later one lets go."""

    def __init__(self, server, schema):
        self.process = subprocess.Popen(
            [os.path.join(server.bin, "psql"), "-X", "-A", "-t", "-q", "-h", "127.0.0.1", "-p", str(server.port), "-U",
             "forerunner", "-d", "postgres", "-v", "ON_ERROR_STOP=1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "PGPASSWORD": PASSWORD, "PGOPTIONS": f"-csearch_path={schema}"})

    def do(self, statement):
        self.process.stdin.write(statement + ";\n\\echo done\n")
        self.process.stdin.flush()
        out = []
        while (line := self.process.stdout.readline()) != "done\n":
            if not line:
                raise RuntimeError(f"{statement}: {''.join(out)}")
            out.append(line)
        return out

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


def main():
    durable = sys.argv[1:2] == ["--durable"]
    command = sys.argv[2 if durable else 1:]
    with Postgres(durable=durable) as server:
        return subprocess.run(command, env={**os.environ, "FORERUNNER_TEST_DATABASE": server.url()}).returncode


if __name__ == "__main__":
    sys.exit(main())
