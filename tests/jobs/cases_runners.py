"""Cases: settings of the runner and its user's home directory."""

from cases import OK, failed, script
from cases_sources import git_case
from run_cases import HOMES


def settings():
    yield script(
        "build scripts",
        ["echo main-$PRE"],
        {**OK, "has": ["pre-build", "main-from-pre", "post-build-from-pre"]},
        runner="build scripts",
        after_script=["echo after"],
    )
    yield script(
        "build scripts and a failure",
        ["exit 3"],
        failed(3, lacks=["\npost-build-"]),
        runner="build scripts",
        after_script=["echo after"],
    )
    yield script(
        "build scripts in two steps",
        None,
        OK,
        runner="build scripts",
        steps=[
            {"name": n, "script": ["echo in-%s" % n], "timeout": 60, "when": "on_success", "allow_failure": False}
            for n in ("script", "release")
        ],
    )
    yield script(
        "failing pre_build_script",
        ["echo never-''shown"],
        failed(5, lacks=["never-shown"]),
        runner="failing pre_build",
        after_script=["echo after"],
    )
    yield script(
        "failing post_build_script",
        ["echo main"],
        failed(6),
        runner="failing post_build",
        after_script=["echo after-$CI_JOB_STATUS"],
    )
    yield script(
        "environment of the runner", ["env | grep ^R_ | sort"], OK, runner="environment", after_script=["echo $R_PLAIN"]
    )
    yield script(
        "sh: success",
        ["echo x", "echo 'a\\tb'", "x=1; echo $x", "echo $0"],
        {**OK, "has": ["a\\tb"]},
        runner="sh",
        after_script=["echo after"],
        own=True,
    )
    yield script(
        "sh: failure", ["echo x", "false", "echo never-''shown"], failed(1, lacks=["never-shown"]), runner="sh"
    )
    yield script("sh: exit 7", ["exit 7"], failed(7), runner="sh")
    yield script("sh: bashism", ["[[ a == a ]]"], {"state": "failed"}, runner="sh")
    yield script(
        "sh: multi line",
        ["echo one\necho two", "echo 'žluť'; printf '%s' \"$V\" | od -An -c"],
        OK,
        runner="sh",
        variables=[("V", "a\nb'c\"d\\e`f!g\t")],
    )
    yield script("sh: unicode and quotes", ['echo "it\'s ž 🐎 \\$x"'], {**OK, "has": ["it's ž 🐎 $x"]}, runner="sh")
    yield script(
        "sh: GITLAB_ENV",
        ["echo A=b >> $GITLAB_ENV"],
        {**OK, "has": ["got-b"]},
        runner="sh",
        after_script=["echo got-$A"],
    )
    yield script(
        "sh: cancel by timeout",
        ["sleep 97501"],
        {"state": "failed", "reason": "job_execution_timeout", "marker": "sleep 97501"},
        runner="sh",
        timeout=3,
    )
    yield script("unknown shell", ["echo x"], {"state": "failed"}, runner="unknown shell", own=True, limit=60)


def homes():
    for home in HOMES:
        if home == "plain":
            continue
        if home == "profile is slow":
            yield script(
                "home: slow profile, job timeout",
                ["echo reached"],
                {"state": "failed", "reason": "job_execution_timeout"},
                home=home,
                timeout=4,
                own=True,
            )
            yield script(
                "home: slow profile, cancel",
                ["echo reached"],
                {"state": "failed"},
                home=home,
                own=True,
                patch=lambda job, log: (202, {"Job-Status": "canceling"}) if b"Preparing environment" in log else None,
            )
            yield script(
                "home: slow profile, abort",
                ["echo reached"],
                {"state": "failed"},
                home=home,
                own=True,
                patch=lambda job, log: (202, {"Job-Status": "canceled"}) if b"Preparing environment" in log else None,
            )
            continue
        own = home in ("git broken", "logout as in Debian")
        yield script("home: %s" % home, ["echo reached", "echo ~ | grep -c home"], {}, home=home, own=own)
        yield script(
            "home: %s, failure" % home, ["echo reached", "exit 4"], {}, home=home, own=own, after_script=["echo after"]
        )
        yield git_case(
            "home: %s, git" % home, ["git config user.name || true", "ls", "printf 'a\\nb\\n'"], {}, home=home, own=own
        )


def all_cases():
    for group in (settings, homes):
        yield from group()
