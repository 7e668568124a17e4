"""A host: a configuration directory of its own, a system ID of its own, one runner program that works in it."""

import os
import re
import signal
import subprocess
import time

LINE = re.compile(r"\x1b\[[0-9;]*m")


def eventually(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"never: {what}")


class Host:
    def __init__(self, directory, program, system_id):
        self.directory, self.program, self.process, self.status = directory, program, None, None
        self.system_id = system_id
        os.makedirs(directory, mode=0o700)
        self.config = directory + "/config.toml"
        with open(directory + "/.runner_system_id", "w") as file:
            file.write(system_id)
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith(("CI_", "REGISTER_", "RUNNER_"))}
        self.environment.update(HOME=directory, NO_COLOR="1", FORERUNNER_STATE_DIR=directory + "/state")

    def call(self, command, *arguments, stdin="", environment=None, status=0):
        """The log of one command; it must end with that status."""
        done = subprocess.run([self.program, command, "--config", self.config, *arguments], input=stdin, text=True,
                              capture_output=True, timeout=120, env={**self.environment, **(environment or {})})
        log = LINE.sub("", done.stdout + done.stderr)
        self.status = done.returncode
        assert status is None or done.returncode == status, f"{command} ended with {done.returncode}:\n{log}"
        return log

    def register(self, url, *arguments, **more):
        return self.call("register", "--non-interactive", "--executor", "shell", "--url", url, *arguments, **more)

    def text(self):
        with open(self.config) as file:
            return file.read()

    def token(self):
        found = re.search(r'^\s*token = "(.*)"', self.text(), re.M)
        return found.group(1) if found else None

    def make_token_due(self):
        """As if it had been obtained long ago: three quarters of its life are over."""
        text = self.text()
        for key, hours in (("token_obtained_at", -9), ("token_expires_at", 1)):
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + hours * 3600))
            text, changed = re.subn(rf"^(\s*{key} = ).*", rf"\g<1>{moment}", text, flags=re.M)
            assert changed == 1, key
        with open(self.config, "w") as file:
            file.write(text)

    def start(self):
        with open(self.config) as file:
            text = file.read()
        with open(self.config, "w") as file:
            file.write(re.sub(r"^check_interval = \d+", "check_interval = 1", text, flags=re.M))
        self.process = subprocess.Popen([self.program, "run", "--config", self.config], env=self.environment,
                                        stdin=subprocess.DEVNULL, stdout=open(self.directory + "/run.log", "a"),
                                        stderr=subprocess.STDOUT)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
            self.process = None

    def log(self):
        with open(self.directory + "/run.log") as file:
            return LINE.sub("", file.read())
