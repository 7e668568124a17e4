"""How coordinators start, what they refuse, and what is saved."""
import os
import subprocess


def start(cluster, url, directory):
    return subprocess.run([cluster.program, "coordinator", "--listen", "127.0.0.1:0", "--data-dir", directory],
                          env={**os.environ, "FORERUNNER_DATABASE": url}, capture_output=True, text=True, timeout=60)


def case_what_is_wrong_is_said(cluster):
    port = cluster.postgres.port
    wrong = start(cluster, f"postgresql://forerunner:hunter2@127.0.0.1:{port}/postgres", cluster.directory + "/other")
    assert wrong.returncode == 1 and "password authentication failed" in wrong.stderr, wrong.stderr
    assert "hunter2" not in wrong.stderr
    # The data directory belongs to a database.
    embedded = start(cluster, "", cluster.directory + "/data")
    assert embedded.returncode == 1 and "in use by another coordinator" in embedded.stderr, embedded.stderr
    # The database belongs to a key.
    foreign = start(cluster, cluster.postgres.url(cluster.schema), cluster.directory + "/foreign")
    assert foreign.returncode == 1 and "not the key" in foreign.stderr, foreign.stderr
    assert "a password" not in cluster.log() and "a%20password" not in cluster.log()
