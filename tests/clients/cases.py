"""Cases case_*: clients that exist, against the coordinator; a failed assertion fails the run."""

import datetime
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "coordinator"))
import forms  # noqa: E402
from client import TOKEN, Coordinator, Tree  # noqa: E402
from hosts import Host, eventually  # noqa: E402

OURS = os.environ["FORERUNNER"]
GENUINE = os.environ.get("PEER") or "/usr/local/lib/peer/gitlab-runner"
CLIENTS = os.environ.get("CLIENTS", "")


class Skip(Exception):
    pass


class World:
    def __init__(self, directory):
        self.directory = directory
        self.server = Coordinator(OURS, directory)
        self.server.start()
        self.url = self.server.url
        self.hosts = []

    def api(self, method, path, body=None, expect=None):
        return self.server.api(method, path, body, expect)

    def host(self, program=OURS):
        number = len(self.hosts) + 1
        self.hosts.append(Host(f"{self.directory}/host{number}", program, f"s_{number:012d}"))
        return self.hosts[-1]

    def runner(self, **attributes):
        return self.api("POST", "user/runners", {"runner_type": "instance_type", **attributes}, expect=201)

    def managers(self, runner):
        return {m["system_id"]: m for m in self.api("GET", f"runners/{runner['id']}/managers", expect=200)}

    def set(self, **settings):
        self.api("PUT", "application/settings", settings, expect=200)

    def end(self):
        for host in self.hosts:
            host.stop()
        self.server.kill()


def run(command, **named):
    done = subprocess.run(command, text=True, capture_output=True, timeout=300, **named)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


# ---- clients from the registries ----

def case_python_gitlab(world):
    """python-gitlab does a runner's whole life."""
    here = os.path.dirname(os.path.abspath(__file__))
    run([CLIENTS + "/python/bin/python", "-B", here + "/life_cycle.py", world.url, TOKEN])


def case_around_python_gitlab(world):
    """python-gitlab does what people need around their runners."""
    here = os.path.dirname(os.path.abspath(__file__))
    run([CLIENTS + "/python/bin/python", "-B", here + "/around.py", world.url, TOKEN])


def case_around_gitbeaker(world):
    """@gitbeaker/rest does what people need around their runners."""
    run(["node", CLIENTS + "/node/around.mjs", world.url, TOKEN])


def case_gitbeaker(world):
    """@gitbeaker/rest does a runner's whole life."""
    run(["node", CLIENTS + "/node/life_cycle.mjs", world.url, TOKEN])


# ---- the document's snippet ----

# As printed, but for the host; two of its lines cannot work anywhere: curl has no option --method, and the line
# `gitlab-runner register` lacks the backslash at its end.
CREATE = r'''RUNNER_TOKEN=$(curl --silent --method POST "https://gitlab.com/api/v4/user/runners" \
    --header "private-token: $GITLAB_TOKEN" \
    --header 'content-type: application/json' \
    --data "{\"runner_type\":\"group_type\",\"group_id\":\"$GROUP_ID\",\"description\":\"My runner\",\"tag-list\":\"java,linux\"}" \
  | jq -r '.token')
'''
REGISTER = r'''gitlab-runner register
    --non-interactive \
    --executor "shell" \
    --url "https://gitlab.com/" \
    --token "$RUNNER_TOKEN"
'''


def paste(world, host, script, **variables):
    """Pastes lines into a shell whose `gitlab-runner` is ours."""
    links = host.directory + "/bin"
    if not os.path.isdir(links):
        os.mkdir(links)
        os.symlink(os.path.abspath(OURS), links + "/gitlab-runner")
    script = script.replace("https://gitlab.com", world.url)
    environment = {**host.environment, "PATH": links + ":" + os.environ["PATH"], "CONFIG_FILE": host.config, **variables}
    return subprocess.run(["bash", "-c", script], stdin=subprocess.DEVNULL, text=True, capture_output=True,
                          timeout=120, env=environment)


def case_snippet(world):
    """Creation by curl and jq with a group, a project and a personal access token, registration with the result."""
    group = world.api("POST", "groups", {"name": "java", "path": "java"}, expect=201)
    owner = world.api("POST", "users", {"username": "ann", "name": "Ann", "email": "ann@example.org",
                                        "force_random_password": True}, expect=201)
    world.api("POST", f"groups/{group['id']}/members", {"user_id": owner["id"], "access_level": 50}, expect=201)
    more = {"expires_at": (datetime.date.today() + datetime.timedelta(days=30)).isoformat()}
    secrets = {
        "group access token": world.api("POST", f"groups/{group['id']}/access_tokens", {
            "name": "fleet", "scopes": ["api"], "access_level": 50, **more}, expect=201)["token"],
        "personal access token": world.api("POST", f"users/{owner['id']}/personal_access_tokens", {
            "name": "work", "scopes": ["api"], **more}, expect=201)["token"]}
    for kind, secret in secrets.items():
        host = world.host()
        mended = CREATE.replace("--method", "--request") + REGISTER.replace("register\n", "register \\\n")
        done = paste(world, host, mended + 'echo "token=$RUNNER_TOKEN"\n', GITLAB_TOKEN=secret,
                     GROUP_ID=str(group["id"]))
        assert done.returncode == 0 and "Runner registered successfully" in done.stderr, done.stderr
        assert f"token={host.token()}" in done.stdout and host.token().startswith("glrt-t2_"), kind
        newest = world.api("GET", f"groups/{group['id']}/runners?type=group_type")[0]
        runner = world.api("GET", f"runners/{newest['id']}", expect=200)
        assert sorted(runner["tag_list"]) == ["java", "linux"], "tag-list with a dash counts"
        assert runner["description"] == "My runner" and runner["groups"][0]["id"] == group["id"]
        assert world.managers(runner).keys() == {host.system_id}
    # The same for a project, as the document says: only type, place and token differ.
    project = world.api("POST", "projects", {"name": "app", "namespace_id": group["id"]}, expect=201)
    secret = world.api("POST", f"projects/{project['id']}/access_tokens", {
        "name": "ci", "scopes": ["create_runner"], "access_level": 40, **more}, expect=201)["token"]
    host = world.host()
    mended = CREATE.replace("--method", "--request").replace("group", "project").replace("GROUP_ID", "PROJECT_ID")
    done = paste(world, host, mended + REGISTER.replace("register\n", "register \\\n"), GITLAB_TOKEN=secret,
                 PROJECT_ID=str(project["id"]))
    assert done.returncode == 0 and host.token().startswith("glrt-t3_"), done.stderr


def case_snippet_as_printed(world):
    """What the printed lines do, so that the documentation may say it."""
    host = world.host()
    done = paste(world, host, CREATE.replace("--silent", "") + 'echo "token=[$RUNNER_TOKEN]"\n', GITLAB_TOKEN=TOKEN,
                 GROUP_ID="1")
    assert "option --method: is unknown" in done.stderr and "token=[]" in done.stdout, (done.stdout, done.stderr)
    runner = world.runner()
    done = paste(world, host, REGISTER, RUNNER_TOKEN=runner["token"])
    assert "Enter the GitLab instance URL" in done.stderr, "register runs alone, and asks"
    assert "--non-interactive: command not found" in done.stderr
    assert not world.managers(runner)


def case_legacy_command_of_the_document(world):
    """The document's command for 15.9, with a registration token and server-side attributes."""
    world.set(allow_runner_registration_token=True)
    secret = world.api("POST", "runners/reset_registration_token", expect=201)["token"]
    command = r'''gitlab-runner register \
    --non-interactive \
    --executor "shell" \
    --url "https://gitlab.com/" \
    --tag-list "shell,mac,gdk,test" \
    --run-untagged "false" \
    --locked "false" \
    --access-level "not_protected" \
    --registration-token "%s"
'''
    host = world.host()
    # A Boolean option with a word after it: our agent takes both spellings.
    done = paste(world, host, command % secret)
    assert done.returncode == 0, done.stderr
    assert "has been deprecated in GitLab Runner 15.6" in done.stderr
    runner = world.api("GET", "runners/all?tag_list=shell,mac,gdk,test")[0]
    details = world.api("GET", f"runners/{runner['id']}")
    assert details["run_untagged"] is False and details["access_level"] == "not_protected"
    assert host.token().startswith("glrtr-")


# ---- whole hosts ----

class Job:
    """A job that runs on one of the hosts until it is let go."""

    def __init__(self, world):
        self.world, self.flag = world, world.directory + "/flag"
        self.project = world.api("POST", "projects", {"name": "work"}, expect=201)
        tree = Tree(world.url.replace("http://", f"http://root:{TOKEN}@") + "/root/work.git")
        tree.push(f"wait: {{script: ['until [ -e {self.flag} ]; do sleep 0.1; done', 'echo went on'], "
                  "variables: {GIT_STRATEGY: none}}\n")
        eventually(lambda: self.status() == "running", "the job runs")

    def status(self):
        return self.world.api("GET", f"projects/{self.project['id']}/jobs")[0]["status"]

    def finish(self):
        assert self.status() == "running", self.status()
        open(self.flag, "w").close()
        eventually(lambda: self.status() == "success", "the job ends")
        number = self.world.api("GET", f"projects/{self.project['id']}/jobs")[0]["id"]
        assert b"went on" in self.world.api("GET", f"projects/{self.project['id']}/jobs/{number}/trace")


def life_of_hosts(world, first, second):
    """One runner, two hosts; both workflows; rotation with both alive; reset by a user; unregister."""
    world.set(allow_runner_registration_token=True, runner_token_expiration_interval=7200, long_poll_seconds=2)
    runner = world.runner(description="fleet", tag_list="a,b")
    for host in (first, second):
        log = host.register(world.url, "--token", runner["token"], "--name", "fleet")
        assert "Verifying runner... is valid" in log and "Runner registered successfully" in log, log
        assert host.token() == runner["token"]
    managers = world.managers(runner)
    assert len(managers) == 2 and all(m["status"] == "online" for m in managers.values()), managers

    # The genuine 18.1.0 says nothing about itself before it polls.
    first.start()
    second.start()
    told = ("shell", "linux")
    eventually(lambda: all((m["executor"], m["platform"]) == told for m in world.managers(runner).values()), "both poll")

    # Rotation while a job runs: the first host's token is due, the second goes on with the old one, then fetches the
    # same successor.
    job = Job(world)
    first.make_token_due()
    successor = eventually(lambda: first.token() != runner["token"] and first.token(), "the first host rotates")
    assert successor.startswith("glrt-")
    assert "Resetting runner authentication token" in first.log()
    if second.token() == runner["token"]:  # unless it is ours: that has heard of it already
        second.make_token_due()
    eventually(lambda: second.token() == successor, "the second host has the same successor")
    job.finish()
    assert world.managers(runner).keys() == managers.keys(), "the reset call makes no manager"

    def old_is_dead():  # asked in a way that is no contact
        headers = {"Runner-Token": runner["token"]}
        return world.server.send("GET", "/api/v4/runners/router/discovery", None, headers).status == 403
    # Both come with the new one, then the old one is over.
    eventually(old_is_dead, "the grace ends")
    for host in (first, second):
        assert "is valid" in host.call("verify")
        assert "forbidden" not in host.log() and "unhealthy" not in host.log(), "nobody was locked out"

    # A reset by a user is immediate and final.
    reset = world.api("POST", f"runners/{runner['id']}/reset_authentication_token", expect=201)["token"]
    eventually(lambda: "forbidden" in first.log(), "the old token is refused")
    log = first.call("verify", status=1)
    assert "is not valid" in log and "Failed to verify runners" in log, log
    first.stop()
    second.stop()
    log = second.call("reset-token", "--name", "fleet", "--pat", TOKEN)
    assert "Resetting runner authentication token... succeeded" in log, log
    assert second.token() not in (reset, successor) and "is valid" in second.call("verify")
    log = first.call("verify", "--delete")
    assert "Updated" in log and first.token() is None

    # The other host's manager goes, the runner stays.
    log = second.call("unregister", "--name", "fleet")
    assert "Unregistering runner manager from GitLab succeeded" in log, log
    assert world.managers(runner).keys() == {"s_000000000001"}
    assert second.token() is None

    # The deprecated way: registered and removed as a whole.
    secret = world.api("POST", "runners/reset_registration_token", expect=201)["token"]
    log = first.register(world.url, "--registration-token", secret, "--tag-list", "x,y", "--name", "old way")
    assert "deprecated" in log and first.token().startswith("glrtr-"), log
    [legacy] = world.api("GET", "runners/all?tag_list=x,y")
    details = world.api("GET", f"runners/{legacy['id']}")
    assert details["description"] == "old way" and details["created_by"] is None
    log = first.call("reset-token", "--name", "old way")
    assert "succeeded" in log and first.token().startswith("glrtr-"), log
    assert "is alive" in first.call("verify")
    log = first.call("unregister", "--all-runners")
    assert "Unregistering runner from GitLab succeeded" in log, log
    world.api("GET", f"runners/{legacy['id']}", expect=404)
    world.set(allow_runner_registration_token=False)
    log = first.register(world.url, "--registration-token", secret, status=1)
    assert "410 Gone" in log and "runner registration disallowed" in log, log


def case_two_hosts_of_ours(world):
    """Our agent: both workflows, two hosts, rotation, reset, unregister."""
    life_of_hosts(world, world.host(), world.host())


def genuine():
    if not os.access(GENUINE, os.X_OK):
        raise Skip(f"no {GENUINE}")
    return GENUINE


def case_two_genuine_hosts(world):
    """The genuine runner: the same life."""
    life_of_hosts(world, world.host(genuine()), world.host(genuine()))


def case_ours_and_a_genuine_host(world):
    """One runner on a genuine host and one of ours: whoever rotates, the other is not locked out."""
    life_of_hosts(world, world.host(genuine()), world.host())


def case_a_genuine_host_after_ours(world):
    life_of_hosts(world, world.host(), world.host(genuine()))


def case_attributes_are_the_servers(world):
    """glrt- tokens: attributes are refused before anything is sent, and ignored in the deprecated option."""
    runner = world.runner(tag_list="set,here")
    host = world.host()
    for option in ("--locked=false", "--access-level=ref_protected", "--run-untagged", "--maximum-timeout=900",
                   "--paused", "--tag-list=x", "--maintenance-note=x"):
        log = host.register(world.url, "--token", runner["token"], option, status=1)
        assert "is reserved" in log and "cannot be specified" in log, log
    assert not world.managers(runner) and not os.path.exists(host.config)
    log = host.register(world.url, "--registration-token", runner["token"], "--tag-list", "x", "--paused")
    assert "legacy-compatible registration process" in log, log
    details = world.api("GET", f"runners/{runner['id']}")
    assert sorted(details["tag_list"]) == ["here", "set"] and details["paused"] is False


def case_forms_of_the_commands(world):
    """Prompts, messages, exit codes and calls on the wire; the genuine program's too, where it is."""
    forms.check(world.directory, "ours", OURS)
    if os.access(GENUINE, os.X_OK):
        forms.check(world.directory, "genuine", GENUINE)
        forms.compare(world.directory, OURS, GENUINE)
    else:
        print(f"    not compared: no {GENUINE}")


def case_interrupted_registration(world):
    forms.interrupt(world.directory + "/ours", OURS)
    if os.access(GENUINE, os.X_OK):
        forms.interrupt(world.directory + "/genuine", GENUINE)


def case_the_table_names_tests_that_exist(world):
    """docs/founding-documents.md: every proof it cites is there."""
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

    def sources(folder, ending):
        for directory, _, names in os.walk(os.path.join(top, folder)):
            for name in names:
                if name.endswith(ending) and "node_modules" not in directory:
                    with open(os.path.join(directory, name)) as file:
                        yield file.read()
    walks = "\n".join(sources("tests/browser", ".mjs"))
    units = "\n".join(sources("src", "_test.cpp"))
    with open(os.path.join(top, "docs/founding-documents.md")) as file:
        cited = set(re.findall(r"`([^`]+)`", file.read().split("## Generate runner tokens", 1)[1]))
    checked = 0
    for name in cited:
        if name.startswith("walk: ") and name != "walk: …":
            assert f"'{name}'" in walks, name
        elif name.startswith("clients: "):
            assert "case_" + name.removeprefix("clients: ") in globals(), name
        elif match := re.fullmatch(r"([A-Z]\w+)\.([A-Z]\w+)", name):
            assert f"({match[1]}, {match[2]})" in units, name
        else:
            continue
        checked += 1
    assert checked > 50, checked


def main():
    wanted = sys.argv[1:]
    cases = {name[5:]: case for name, case in globals().items() if name.startswith("case_")}
    failed = []
    for name, case in cases.items():
        if wanted and name not in wanted:
            continue
        print(f"--- {name}", flush=True)
        directory = tempfile.mkdtemp(prefix="clients-")
        world = World(directory)
        try:
            case(world)
        except Skip as reason:
            print(f"    skipped: {reason}")
        except Exception:  # noqa: BLE001: the run goes on
            traceback.print_exc()
            failed.append(name)
            for host in world.hosts:
                if os.path.exists(host.directory + "/run.log"):
                    print(f"log of {host.program}:\n" + host.log()[-3000:])
        finally:
            world.end()
            shutil.rmtree(directory, ignore_errors=True)
    if failed:
        print("FAILED: " + ", ".join(failed))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
