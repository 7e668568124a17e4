"""The coordinator on PostgreSQL: two processes on one database and one data directory, and the tests of one process
there. Names of cases on the command line, or "elsewhere", run only these."""
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

from cluster import HERE, Agents, Cluster
from postgres import Postgres

import cases_jobs
import cases_people
import cases_races
import cases_saved
import cases_start


def case_logs_and_artifacts_in_a_shared_folder(program, postgres):
    """The same with an object store that both use, while one is killed."""
    folder = tempfile.mkdtemp(prefix="cluster-objects-")
    pair = Cluster(program, postgres, "--object-store", folder)
    try:
        cases_people.case_logs_artifacts_and_git_across(pair)
        place = pair.place()
        pipeline = place.pipeline(60)
        agents = Agents(place, 6)
        agents.wait_for(20)
        pair.a.kill()
        agents.wait_for(60)
        agents.stop()
        agents.check(pair.b, pipeline, 60)
        assert sorted(os.listdir(folder)), "nothing is in it"
        assert not os.path.exists(pair.directory + "/data/traces")
    finally:
        pair.end()
        shutil.rmtree(folder)


SHARDS = 4  # of coordinator_test: its tests mostly wait


def run_elsewhere(program, postgres, failed):
    """The other tests, with a schema of its own for each server."""
    environment = {**os.environ, "FORERUNNER_TEST_DATABASE": postgres.url(), "FORERUNNER": program}
    for name, shards in (("database_test", 1), ("coordinator_test", SHARDS), ("coordinator", 1), ("load", 1)):
        command = [os.path.join(os.path.dirname(program), name), "--gtest_brief=1"]
        if not name.endswith("_test"):
            command = [os.path.join(HERE, "..", name, "run")]
        if not os.path.exists(command[0]):
            print(f"      {name} is not beside the program: not run")
            continue
        begun = time.monotonic()
        running = []
        for shard in range(shards):
            share = {"GTEST_TOTAL_SHARDS": str(shards), "GTEST_SHARD_INDEX": str(shard)} if shards > 1 else {}
            out = tempfile.TemporaryFile("w+")
            running.append((out, subprocess.Popen(command, env={**environment, **share}, stdout=out, stderr=out)))
        bad = ""
        for out, process in running:
            status = process.wait()
            out.seek(0)
            if status:
                bad += f"ended with {status}: {out.read()[-6000:]}\n"
            out.close()
        report(f"{name} on PostgreSQL, {time.monotonic() - begun:.0f} s", not bad, bad, failed)


def report(name, good, details, failed):
    print(("ok    " if good else "FAIL  ") + name, flush=True)
    if not good:
        print(details, file=sys.stderr)
        failed.append(name)


def run_cases(program, postgres, wanted, failed):
    pair = None
    try:
        for module in (cases_people, cases_races, cases_start, cases_saved, cases_jobs):
            for name, case in list(vars(module).items()):
                if not name.startswith("case_") or (wanted and name[5:] not in wanted):
                    continue
                begun = time.monotonic()
                try:
                    pair = pair or Cluster(program, postgres)
                    case(pair)
                    report(f"{name[5:]}, {time.monotonic() - begun:.1f} s", True, "", failed)
                except Exception:  # one case must not hide the others
                    report(name[5:], False, traceback.format_exc(), failed)
        if pair:
            statuses = pair.stop()
            report("an orderly end", not any(statuses), f"statuses {statuses}", failed)
            if failed:
                print(pair.log()[-4000:], file=sys.stderr)
    finally:
        if pair:
            pair.end()
    name = "logs_and_artifacts_in_a_shared_folder"
    if not wanted or name in wanted:
        try:
            case_logs_and_artifacts_in_a_shared_folder(program, postgres)
            report(name, True, "", failed)
        except Exception:
            report(name, False, traceback.format_exc(), failed)


def main():
    program = os.environ.get("FORERUNNER")
    if not program:
        print("set FORERUNNER to the program", file=sys.stderr)
        return 1
    program = os.path.abspath(program)
    wanted = sys.argv[1:]
    failed = []
    with Postgres() as postgres:
        if wanted != ["elsewhere"]:
            run_cases(program, postgres, wanted, failed)
        if not wanted or "elsewhere" in wanted:
            run_elsewhere(program, postgres, failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
