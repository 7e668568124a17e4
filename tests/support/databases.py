"""Which database a test's coordinator uses; support.mjs of tests/browser says the same."""
import glob
import os
import sqlite3
import subprocess


def database_environment():
    """A schema of its own in the PostgreSQL server of FORERUNNER_TEST_DATABASE; without one, SQLite."""
    url = os.environ.get("FORERUNNER_TEST_DATABASE")
    if not url:
        return {}
    schema = "test_" + os.urandom(6).hex()
    return {"FORERUNNER_DATABASE": f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{schema}"}


def change_row(server, sql, *values):
    """What only time brings about, done behind a coordinator's back: changes one row. Values are numbers or plain
    text, for the question marks."""
    url = server.environment.get("FORERUNNER_DATABASE")
    if not url:
        [path] = glob.glob(server.directory + "/data/*.sqlite")
        database = sqlite3.connect(path, timeout=20)
        with database:
            changed = database.execute(sql, values).rowcount
        database.close()
    else:
        for value in values:
            sql = sql.replace("?", str(value) if isinstance(value, int) else "'%s'" % value.replace("'", "''"), 1)
        done = subprocess.run(["psql", "-X", "-d", url, "-c", sql], capture_output=True, text=True, check=True)
        changed = int(done.stdout.split()[-1])  # UPDATE 1
    assert changed == 1, (sql, changed)
