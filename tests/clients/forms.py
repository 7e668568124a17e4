"""Every form of register, verify, unregister and reset-token against a server that writes down what it is asked.

The expectations are those of the genuine program; `ours` holds where we mean to differ, with the reason."""

import http.server
import json
import os
import re
import signal
import subprocess
import threading

from hosts import Host

DEPRECATED = "Support for registration tokens and runner parameters in the 'register' command has been deprecated"
REGISTERED = "Runner registered successfully. Feel free to start it"
EXECUTOR = ["--executor", "shell"]
QUIET = ["--non-interactive", *EXECUTOR]


# The genuine program falls over tokens that are shorter than a real one.
A, B, DEAD, BROKEN = (f"glrt-{word}".ljust(25, "0") for word in ("a", "b", "dead", "broken"))
SECRET = "GR1348941".ljust(29, "x")


class Recorder(http.server.ThreadingHTTPServer):
    """Tokens that hold "dead" are refused, with "broken" answered 501 (which nobody retries)."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def handle_call(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        values = (json.loads(body) if body else None) or {}
        self.server.calls.append((self.command, self.path.removeprefix("/api/v4/"), dict(values),
                                  self.headers.get("Private-Token")))
        token = values.get("token", "") + (self.headers.get("Private-Token") or "")
        if "dead" in token:
            return self.answer(403, {"message": "403 Forbidden"})
        if "broken" in token:
            return self.answer(501, {"message": "501 Not Implemented"})
        if self.command == "DELETE":
            return self.answer(204)
        if self.path.endswith("verify"):
            return self.answer(200, {"id": 42, "token": token, "token_expires_at": None})
        if self.path.endswith("reset_authentication_token"):
            return self.answer(201, {"token": "glrt-renewed", "token_expires_at": "2099-01-02T03:04:05.000Z"})
        return self.answer(201, {"id": 43, "token": "glrtr-given", "token_expires_at": None})

    do_POST = do_DELETE = do_PUT = do_GET = handle_call

    def answer(self, status, value=None):
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        if body:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Form:
    def __init__(self, name, command, arguments, status=0, says=(), calls=(), tokens=(), stdin="", environment=None,
                 runners=(), body=None, ours=None):
        self.name, self.command, self.arguments, self.status = name, command, arguments, status
        self.says, self.calls, self.tokens, self.stdin = says, list(calls), list(tokens), stdin
        self.environment, self.runners, self.body, self.ours = environment or {}, runners, body, ours or {}


VERIFY, REGISTER = "POST runners/verify", "POST runners"
GONE, MANAGER_GONE = "DELETE runners", "DELETE runners/managers"
RESET = "POST runners/reset_authentication_token"

FORMS = [
    Form("created runner", "register", [*QUIET, "--url", "URL", "--token", A],
         says=["Verifying runner... is valid", REGISTERED], calls=[VERIFY], tokens=[A]),
    Form("created runner, refused", "register", [*QUIET, "--url", "URL", "--token", DEAD], status=1,
         says=["Verifying runner... is not valid", "Failed to verify the runner."], calls=[VERIFY]),
    Form("created runner, server without an answer", "register", [*QUIET, "--url", "URL", "--token", BROKEN],
         status=1, says=["Verifying runner... failed", "Failed to verify the runner."], calls=[VERIFY]),
    Form("created runner, the deprecated option", "register", [*QUIET, "--url", "URL", "--registration-token", A],
         says=["Verifying runner... is valid"], calls=[VERIFY], tokens=[A]),
    Form("created runner, the deprecated option with attributes", "register",
         [*QUIET, "--url", "URL", "--registration-token", A, "--tag-list", "x"],
         says=["legacy-compatible registration process", "is valid"], calls=[VERIFY], tokens=[A]),
    *[Form(f"created runner with {option}", "register", [*QUIET, "--url", "URL", "--token", A, option], status=1,
           says=["Runner configuration other than name and executor configuration is reserved"])
      for option in ("--locked=false", "--access-level=not_protected", "--run-untagged", "--maximum-timeout=600",
                     "--paused", "--tag-list=a", "--maintenance-note=a")],
    Form("created runner, locked as by default", "register",
         [*QUIET, "--url", "URL", "--token", A, "--locked"], calls=[VERIFY], tokens=[A]),
    Form("a created runner for the second time", "register", [*QUIET, "--url", "URL", "--token", A],
         says=["A runner with this system ID and token has already been registered."], calls=[VERIFY],
         runners=[A], tokens=[A, A]),
    Form("an executor that is none", "register",
         ["--non-interactive", "--executor", "nothing", "--url", "URL", "--token", A], status=1,
         says=["Invalid executor specified"], calls=[VERIFY, MANAGER_GONE],
         ours={"calls": [], "why": "what is wrong here is found before the server is asked"}),
    Form("left on the server", "register",
         ["--non-interactive", "--executor", "nothing", "--url", "URL", "--token", A, "--leave-runner"], status=1,
         says=["Invalid executor specified"], calls=[VERIFY],
         ours={"calls": [], "why": "what is wrong here is found before the server is asked"}),
    Form("registration token", "register", [*QUIET, "--url", "URL", "--registration-token", SECRET],
         says=[DEPRECATED, "Registering runner... succeeded", REGISTERED], calls=[REGISTER], tokens=["glrtr-given"],
         body={"token": SECRET, "run_untagged": True, "locked": True, "paused": False}),
    Form("registration token and every attribute", "register",
         [*QUIET, "--url", "URL", "--registration-token", SECRET, "--name", "n", "--tag-list", "a,b",
          "--run-untagged", "--locked=false", "--access-level", "ref_protected", "--maximum-timeout", "900", "--paused",
          "--maintenance-note", "note"], calls=[REGISTER], tokens=["glrtr-given"],
         body={"token": SECRET, "description": "n", "tag_list": "a,b", "run_untagged": True, "locked": False,
               "access_level": "ref_protected", "maximum_timeout": 900, "paused": True, "maintenance_note": "note"}),
    Form("registration token, refused", "register", [*QUIET, "--url", "URL", "--registration-token", "dead"], status=1,
         says=["Registering runner... forbidden (check registration token)", "Failed to register the runner."],
         calls=[REGISTER]),
    Form("an access level that is none", "register",
         [*QUIET, "--url", "URL", "--registration-token", "x", "--access-level", "public"], status=1,
         says=["Given access-level is not valid. Refer to gitlab-runner register -h for the correct options."]),
    Form("everything from the environment", "register", [],
         environment={"REGISTER_NON_INTERACTIVE": "true", "CI_SERVER_URL": "URL", "CI_SERVER_TOKEN": A,
                      "RUNNER_EXECUTOR": "shell", "RUNNER_NAME": "from the environment"},
         says=[REGISTERED], calls=[VERIFY], tokens=[A]),
    Form("registration token from the environment", "register", [],
         environment={"REGISTER_NON_INTERACTIVE": "true", "CI_SERVER_URL": "URL", "REGISTRATION_TOKEN": SECRET,
                      "RUNNER_EXECUTOR": "shell", "RUNNER_TAG_LIST": "q", "REGISTER_LOCKED": "false"},
         calls=[REGISTER], tokens=["glrtr-given"], body={"tag_list": "q", "locked": False, "run_untagged": False}),
    Form("every attribute from the environment", "register", [],
         environment={"REGISTER_NON_INTERACTIVE": "true", "CI_SERVER_URL": "URL", "REGISTRATION_TOKEN": SECRET,
                      "RUNNER_EXECUTOR": "shell", "RUNNER_NAME": "n", "REGISTER_RUN_UNTAGGED": "true",
                      "REGISTER_ACCESS_LEVEL": "ref_protected", "REGISTER_MAXIMUM_TIMEOUT": "700",
                      "REGISTER_PAUSED": "true", "REGISTER_MAINTENANCE_NOTE": "note"},
         calls=[REGISTER], tokens=["glrtr-given"],
         body={"description": "n", "run_untagged": True, "access_level": "ref_protected", "maximum_timeout": 700,
               "paused": True, "maintenance_note": "note"}),
    Form("attributes of a created runner from the environment", "register", [], status=1,
         environment={"REGISTER_NON_INTERACTIVE": "true", "CI_SERVER_URL": "URL", "CI_SERVER_TOKEN": A,
                      "RUNNER_EXECUTOR": "shell", "RUNNER_TAG_LIST": "q"},
         says=["Runner configuration other than name and executor configuration is reserved"]),
    Form("left on the server when the prompts end", "register", ["--url", "URL", "--token", A, "--leave-runner"],
         stdin="\n\n", status=1, says=["Unexpected EOF. Did you mean to use --non-interactive?"], calls=[VERIFY]),
    Form("a registration taken back", "register", ["--url", "URL", "--registration-token", SECRET],
         stdin="\n\nmine\n\n\n", status=1, says=["Unexpected EOF"], calls=[REGISTER, GONE]),
    Form("verify by URL and token", "verify", ["--url", "URL", "--token", B], runners=[A, B], tokens=[A, B],
         calls=[VERIFY], body={"token": B}),
    Form("a token that needs no registration", "register", [*QUIET, "--url", "URL", "--token", "plain"],
         says=["Token specified trying to verify runner...", "If you want to register use the '-r' instead of '-t'."],
         calls=[VERIFY], tokens=["plain"]),
    Form("prompts of a created runner", "register", [], stdin=f"URL\n{A}\nmine\nshell\n",
         says=["Enter the GitLab instance URL (for example, https://gitlab.com/):\n", "Enter the registration token:\n",
               "Enter a name for the runner. This is stored only in the local config.toml file:\n",
               "Enter an executor: "], calls=[VERIFY], tokens=[A]),
    Form("prompts of a registration token", "register", [], stdin=f"URL\n{SECRET}\nmine\na,b\nnote\nshell\n",
         says=["Enter a description for the runner:\n", "Enter tags for the runner (comma-separated):\n",
               "Enter optional maintenance note for the runner:\n"], calls=[REGISTER], tokens=["glrtr-given"],
         body={"description": "mine", "tag_list": "a,b", "maintenance_note": "note"}),
    Form("prompts that end too soon", "register", ["--url", "URL", "--token", A], stdin="\n\n", status=1,
         says=["Unexpected EOF. Did you mean to use --non-interactive?"], calls=[VERIFY, MANAGER_GONE]),
    Form("nothing given", "register", ["--non-interactive"], status=1, says=["The url needs to be entered"]),
    Form("verify", "verify", [], runners=[A, "old"], tokens=[A, "old"], calls=[VERIFY, VERIFY],
         says=["Verifying runner... is valid", "Verifying runner... is alive"]),
    Form("verify with one that is gone", "verify", [], status=1, runners=[A, DEAD],
         tokens=[A, DEAD], calls=[VERIFY, VERIFY],
         says=["Verifying runner... is not valid", "Failed to verify runners"]),
    Form("verify --delete", "verify", ["--delete"], runners=[DEAD, A, "dead"], tokens=[A],
         calls=[VERIFY] * 3, says=["Verifying runner... is removed", "Updated "]),
    Form("verify --delete with a server in trouble", "verify", ["--delete"], runners=[BROKEN],
         tokens=[BROKEN], calls=[VERIFY], says=["Verifying runner... failed"]),
    Form("verify one", "verify", ["--name", "runner 2"], runners=[A, B], tokens=[A, B],
         calls=[VERIFY], body={"token": B}),
    Form("verify one that is not there", "verify", ["--name", "nobody"], runners=[A], tokens=[A], status=1,
         says=["no runner matches the filtering parameters"]),
    Form("unregister a created runner", "unregister", ["--name", "runner 1"], runners=[A, B],
         tokens=[B], calls=[MANAGER_GONE], says=["Unregistering runner manager from GitLab succeeded", "Updated "],
         body={"token": A, "system_id": "s_000000000009"}),
    Form("unregister an old runner", "unregister", ["--token", "glrtr-x"], runners=["glrtr-x"], calls=[GONE],
         says=["Unregistering runner from GitLab succeeded"], body={"token": "glrtr-x"}),
    Form("unregister, refused", "unregister", ["--name", "runner 1"], runners=[DEAD], tokens=[DEAD],
         status=1, calls=[MANAGER_GONE], says=["Unregistering runner manager from GitLab forbidden"]),
    Form("unregister all", "unregister", ["--all-runners"], runners=[A, "old"], calls=[MANAGER_GONE, GONE],
         says=["Unregistering all runners"]),
    Form("unregister nobody", "unregister", [], runners=[A], tokens=[A], status=1,
         says=["at least one of --name or --token must be specified"]),
    Form("unregister one that is not there", "unregister", ["--name", "x"], runners=[A], tokens=[A],
         status=1, says=["could not find a runner with the name 'x'"]),
    Form("reset-token", "reset-token", ["--name", "runner 1"], runners=[A, B],
         tokens=["glrt-renewed", B], calls=[RESET], body={"token": A},
         says=["Resetting runner authentication token... succeeded", "Updated"]),
    Form("reset-token by URL and id", "reset-token", ["--url", "URL", "--id", "2"], runners=[A, B],
         tokens=[A, "glrt-renewed"], calls=[RESET], body={"token": B}),
    Form("reset-token with an access token", "reset-token", ["--name", "runner 2", "--pat", "glpat-x"],
         runners=[A, B], tokens=[A, "glrt-renewed"],
         calls=["POST runners/2/reset_authentication_token"]),
    Form("reset-token, refused", "reset-token", ["--name", "runner 1"], runners=[DEAD], tokens=[DEAD],
         status=1, calls=[RESET], says=["Resetting runner authentication token... failed (check used token)",
                                        "Failed to reset runner authentication token"]),
    Form("reset-token of all", "reset-token", ["--all-runners"], runners=[A, DEAD],
         tokens=["glrt-renewed", DEAD], calls=[RESET, RESET], says=["Resetting all runner authentication tokens"],
         ours={"status": 1, "why": "a failure is an error, also among many"}),
    Form("reset-token of nobody", "reset-token", ["--name", "x"], runners=[A], tokens=[A], status=1,
         says=["Couldn't get runner credentials"]),
]


class Ran:
    """One form through one program."""

    def __init__(self, directory, program, form, server):
        server.calls.clear()
        self.host = Host(directory, program, "s_000000000009")
        if form.runners:
            with open(self.host.config, "w") as file:
                file.write("concurrent = 1\n" + "".join(
                    f'[[runners]]\n  name = "runner {n}"\n  url = "{server.url}"\n  id = {n}\n  token = "{token}"\n'
                    '  executor = "shell"\n' for n, token in enumerate(form.runners, 1)))

        def mine(text):
            return text.replace("URL", server.url) if text.startswith("URL") else text
        self.log = self.host.call(
            form.command, *map(mine, form.arguments), stdin=mine(form.stdin), status=None,
            environment={key: mine(value) for key, value in form.environment.items()})
        self.status = self.host.status
        self.calls = [f"{method} {path}" for method, path, _, _ in server.calls]
        self.bodies = [body for _, _, body, _ in server.calls]
        self.private = [private for _, _, _, private in server.calls]
        self.tokens = []
        if os.path.exists(self.host.config):
            self.tokens = re.findall(r'^\s*token = "(.*)"', self.host.text(), re.M)


def interrupt(directory, program):
    """SIGINT at a prompt, when the server has the runner already: it is taken off again."""
    server = Recorder()
    host = Host(directory, program, "s_000000000009")
    arguments = ["register", "--config", host.config, "--url", server.url, "--token", A]
    process = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=host.environment)
    process.stdin.write("\n\n")
    process.stdin.flush()
    seen = ""
    while "Enter an executor" not in seen:
        line = process.stderr.readline()
        assert line, seen
        seen += line
    process.send_signal(signal.SIGINT)
    seen += process.stderr.read()
    process.stdin.close()
    process.stderr.close()
    assert process.wait(60) == 1 and "RECEIVED SIGNAL: interrupt" in seen, seen
    calls = [f"{method} {path}" for method, path, _, _ in server.calls]
    assert calls == [VERIFY, MANAGER_GONE] and not os.path.exists(host.config), calls
    server.shutdown()


def check(directory, name, program):
    server = Recorder()
    for number, form in enumerate(FORMS):
        ran = Ran(f"{directory}/{name}{number}", program, form, server)
        wanted = {"status": form.status, "calls": form.calls, **(form.ours if name == "ours" else {})}
        about = f"{name}: {form.name}\n{ran.log}"
        status = min(ran.status, 1) if name == "genuine" else ran.status  # its panics end with 1 or with 2
        assert status == wanted["status"], f"{about}\nended with {ran.status}"
        assert ran.calls == wanted["calls"], f"{about}\ncalled {ran.calls}"
        assert ran.tokens == form.tokens, f"{about}\nwrote {ran.tokens}"
        for text in form.says:
            assert text in ran.log, f"{about}\nnever said: {text}"
        for key, value in (form.body or {}).items():
            assert ran.bodies[0].get(key) == value, f"{about}\nsent {ran.bodies[0]}"
        if "--pat" in form.arguments:
            assert ran.private == ["glpat-x"], about
    server.shutdown()


def compare(directory, ours, genuine):
    """Both at once: the same bodies on the wire, but for what each says about itself."""
    server = Recorder()
    for number, form in enumerate(FORMS):
        if "calls" in form.ours:
            continue
        mine = Ran(f"{directory}/mine{number}", ours, form, server)
        theirs = Ran(f"{directory}/theirs{number}", genuine, form, server)
        for body in mine.bodies + theirs.bodies:
            body.pop("info", None)
        assert mine.bodies == theirs.bodies, f"{form.name}\nours: {mine.bodies}\ntheirs: {theirs.bodies}"
    server.shutdown()
