"""Which database a test's coordinator uses."""
import os


def database_environment():
    """A schema of its own in the PostgreSQL server of FORERUNNER_TEST_DATABASE; without one, SQLite."""
    url = os.environ.get("FORERUNNER_TEST_DATABASE")
    if not url:
        return {}
    schema = "test_" + os.urandom(6).hex()
    return {"FORERUNNER_DATABASE": f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{schema}"}
