"""Cases: steps in every position, exit codes, the log, feature flags of the script."""

from cases import OK, failed, script
from payloads import payload, variable
from run_cases import Case


def step(name, lines, **more):
    return {"name": name, "script": lines, "timeout": 60, "when": "on_success", "allow_failure": False, **more}


def on(*flags, **more):
    return [(flag, "true") for flag in flags] + list(more.items())


def positions():
    yield script("fails first of three", ["exit 11", "echo never-''shown"], failed(11, lacks=["never-shown"]))
    yield script("fails last of three", ["echo a", "echo b", "exit 12"], failed(12))
    yield script("fails in a subshell", ["(exit 13)", "echo never-''shown"], failed(13, lacks=["never-shown"]))
    yield script(
        "fails in a function", ["f() { return 14; }", "f", "echo never-''shown"], failed(14, lacks=["never-shown"])
    )
    yield script("fails in a condition", ["if (exit 3); then echo t; else echo else-$?; fi"], {**OK, "has": ["else-3"]})
    yield script("fails before and", ["false && echo x", "echo went-on"], {**OK, "has": ["went-on"]})
    yield script("fails before or", ["false || echo alternative"], {**OK, "has": ["alternative"]})
    yield script("fails negated", ["! true", "echo went-on"], {**OK, "has": ["went-on"]})
    yield script("fails in a substitution", ["x=$(exit 15)", "echo never-''shown"], failed(15, lacks=["never-shown"]))
    yield script("fails in an argument", ["echo x$(exit 15)"], OK)
    yield script(
        "fails in a multi line item", ["echo one\nexit 16\necho never-''shown"], failed(16, lacks=["\nnever-shown"])
    )
    yield script(
        "fails in a loop",
        ["for i in 1 2 3; do echo $i-x; [ $i != 2 ]; done", "echo never-''shown"],
        failed(1, lacks=["3-x"]),
    )
    yield script("fails in a pipe's end", ["echo a | (cat; exit 17)"], failed(17))
    yield script("fails in a pipe's start", ["(exit 18) | cat"], failed(18))
    yield script("exit 0 in the middle", ["echo a", "exit 0", "echo never-''shown"], {**OK, "lacks": ["never-shown"]})
    yield script("exit without a number", ["(exit 19) || exit"], failed(19))
    yield script("exit -1", ["exit -1"], failed(255))
    yield script("exit 256", ["exit 256"], OK)
    yield script("exit 137", ["exit 137"], failed(137))
    yield script("return at the top", ["return 5"], {"state": "failed"})
    yield script("child killed by TERM", ["bash -c 'kill -TERM $$'"], failed(143))
    yield script("child killed by KILL", ["bash -c 'kill -KILL $$'"], failed(137))
    yield script("exec replaces the shell", ["exec sh -c 'echo replaced; exit 21'"], failed(21, has=["replaced"]))
    yield script("TERM to itself", ["kill -TERM $$; echo still-''here"], failed(1), own=True)
    yield script("exit trap", ["trap 'echo in-trap' EXIT", "echo body"], {**OK, "has": ["in-trap"]})
    yield script("exit trap that fails", ["trap 'exit 22' EXIT", "true"], failed(22))
    yield script("ERR trap", ["trap 'echo err-$?' ERR", "(exit 23)"], failed(23, has=["err-23"]))
    yield script(
        "errexit is off in the middle",
        ["set +e", "false", "echo a-$?", "set -e", "false", "echo never-''shown"],
        failed(1, has=["a-"], lacks=["never-shown"]),
    )
    yield script("permission denied", ["/etc/passwd"], failed(126))
    yield script("no such command", ["surely-not-there-x"], failed(127))
    yield script("no such directory", ["cd /surely/not/there"], failed(1))
    yield script("division by zero", ["echo $((1/0))"], failed(1))
    yield script("unset under nounset", ["set -u", "echo $surely_unset"], {"state": "failed"})
    yield script("unclosed quote", ["echo 'open"], {"state": "failed"})
    yield script("unclosed brace", ["f() { echo x"], {"state": "failed"})
    yield script("here document", ["cat <<EOF\nin $((1+1)) document\nEOF"], {**OK, "has": ["in 2 document"]})
    yield script("here document over items", ["cat <<'EOF'", "line-in-$x", "EOF"], {"state": "success"})
    yield script("comment only", ["# nothing"], OK)
    yield script("comment at the end", ["echo a # b", "echo c"], {**OK, "has": ["a\n"]})
    yield script("backslash at the end", ["echo a \\", "echo b"], {"state": "success"})
    yield script("carriage returns in a line", ["echo a\r\necho b\r"], {"state": "success"})
    yield script("case over items", ["case x in", "x) echo matched ;;", "esac"], {"state": "failed"})
    yield script(
        "while over items", ["n=0", "while [ $n -lt 2 ]; do", "n=$((n+1))", "done", "echo n-$n"], {**OK, "has": ["n-2"]}
    )
    yield script("function over items", ["f() {", "echo inside", "}", "f"], {**OK, "has": ["inside"]})
    yield script(
        "bashisms",
        ["[[ abc == a* ]] && echo glob", "a=(1 2 3); echo ${#a[@]}", "diff <(echo 1) <(echo 1) && echo same"],
        {**OK, "has": ["glob", "same"]},
    )
    yield script(
        "sources a file",
        ["echo 'x=sourced; false; echo not-''reached' > f.sh", ". ./f.sh"],
        failed(1, lacks=["not-reached"]),
    )
    yield script("tabs around a command", ["\t echo tabbed\t"], {**OK, "has": ["$ echo tabbed\n"]})
    yield script("newlines around a command", ["\n\necho lined\n\n"], {**OK, "has": ["$ echo lined\n"]})
    yield script("blank item", ["   ", "echo x"], OK)
    yield script("only empty items", ["", ""], OK)
    yield script("dollar question mark", ["true", "echo q-$?"], {**OK, "has": ["q-0"]})
    yield script("shell options", ["echo $- | tr -d 'x'", "set -o | grep -E 'pipefail|errexit|noclobber'"], OK)
    yield script(
        "where it runs",
        ["pwd", "echo $0", "echo $#", "umask", "tty || true", "ulimit -c"],
        {"state": "success"},
        own=True,
    )
    yield script("parent process", ["ps -o args= $PPID | cut -c 1-4"], {"state": "success"}, own=True)


def steps():
    yield script("no steps", None, {"state": "success"}, steps=[])
    yield script("step without script", None, {"state": "success"}, steps=[step("script", [])])
    yield script("step with null script", None, {"state": "success"}, steps=[step("script", None)])
    yield script("only after_script", None, {"state": "success"}, steps=[step("after_script", ["echo after-only"])])
    yield script(
        "empty after_script",
        ["true"],
        {**OK, "lacks": ["Running after"]},
        steps=[step("script", ["echo x"]), step("after_script", [])],
    )
    yield script(
        "after_script first",
        None,
        {**OK, "has": ["s-one"]},
        steps=[step("after_script", ["echo after-$CI_JOB_STATUS"]), step("script", ["echo s-one"])],
    )
    yield script(
        "three steps",
        None,
        {**OK, "has": ["one", "two", "three"]},
        steps=[step("script", ["echo one"]), step("Second Step", ["echo two"]), step("release", ["echo three"])],
    )
    yield script(
        "second of three steps fails",
        None,
        failed(4, lacks=["three-shown"]),
        steps=[
            step("script", ["echo one"]),
            step("b", ["exit 4"]),
            step("release", ["echo three-''shown"]),
            step("after_script", ["echo st-$CI_JOB_STATUS"]),
        ],
    )
    yield script(
        "step that may fail",
        None,
        failed(4),
        steps=[step("script", ["exit 4"], allow_failure=True), step("release", ["echo x"], when="always")],
    )
    yield script("step with its own timeout", None, OK, steps=[step("script", ["sleep 2; echo done"], timeout=1)])
    yield script(
        "two steps of one name",
        None,
        OK,
        steps=[step("script", ["echo first"]), step("script", ["echo second"])],
        own=True,
    )
    yield script(
        "no state between steps",
        None,
        {**OK, "lacks": ["got-a"]},
        steps=[step("script", ["X=a; cd /"]), step("second", ["echo got-$X; pwd | grep -c builds"])],
    )
    yield script("2000 lines", ["echo line-%d" % i for i in range(2000)], {**OK, "has": ["\nline-1999\n"]})
    yield script("1 MB line", [": " + "x" * 1000000, "echo after-it"], {**OK, "has": ["after-it"]})
    yield script("1 MB argument", ["/bin/echo " + "x" * 1000000], {"state": "failed"})
    yield script(
        "300 kB multi line",
        ["\n".join("echo n-%d > /dev/null" % i for i in range(10000)), "echo after-it"],
        {**OK, "has": ["after-it"]},
    )
    yield script("after_script exits 0 after failure", ["exit 5"], failed(5), after_script=["exit 0"])
    yield script(
        "both fail", ["exit 5"], failed(5), after_script=["exit 6"], variables=[("AFTER_SCRIPT_IGNORE_ERRORS", "false")]
    )
    yield script(
        "bad AFTER_SCRIPT_IGNORE_ERRORS",
        ["true"],
        OK,
        after_script=["exit 6"],
        variables=[("AFTER_SCRIPT_IGNORE_ERRORS", "perhaps")],
    )
    yield script(
        "after_script timeout zero",
        ["true"],
        OK,
        after_script=["echo quick"],
        variables=[("RUNNER_AFTER_SCRIPT_TIMEOUT", "0")],
    )
    yield script(
        "after_script timeout counted",
        ["true"],
        {"state": "failed"},
        after_script=["sleep 20"],
        variables=[("RUNNER_AFTER_SCRIPT_TIMEOUT", "1s"), ("AFTER_SCRIPT_IGNORE_ERRORS", "false")],
    )
    for value in ("abc", "-5s", "10", "100h", "1.5s", "1h30m"):
        yield script("script timeout %s" % value, ["echo x"], OK, variables=[("RUNNER_SCRIPT_TIMEOUT", value)])
    yield script(
        "after_script timeout malformed",
        ["true"],
        OK,
        after_script=["echo quick"],
        variables=[("RUNNER_AFTER_SCRIPT_TIMEOUT", "soon")],
    )
    yield script(
        "script timeout over two steps",
        None,
        {"state": "failed", "reason": "job_execution_timeout"},
        steps=[
            step("script", ["sleep 2"]),
            step("release", ["sleep 20"]),
            step("after_script", ["echo st-$CI_JOB_STATUS"]),
        ],
        variables=[("RUNNER_SCRIPT_TIMEOUT", "4s")],
    )
    yield script(
        "job timeout in after_script",
        ["true"],
        {"state": "failed", "reason": "job_execution_timeout"},
        after_script=["sleep 60"],
        timeout=3,
    )
    yield script("job timeout zero", ["echo $CI_JOB_TIMEOUT"], {**OK, "has": ["7200"]}, timeout=0)


def output():
    yield script(
        "progress bar",
        ["for i in 1 2 3; do printf 'at %s\\r' $i; done; echo done"],
        {**OK, "has": ["at 1\rat 2\rat 3\rdone"]},
    )
    yield script("colours", ["printf '\\033[31mred\\033[0m\\n'"], {**OK, "has": ["red"]})
    yield script(
        "own section markers",
        ["printf 'section_start:123:mine\\r\\033[0KTitle\\nx\\nsection_end:123:mine\\r\\033[0K\\n'"],
        OK,
    )
    yield script("invalid UTF-8", ["printf 'a\\303b\\200\\355\\240\\200c\\370\\210\\200\\200\\200d\\n'"], OK)
    yield script(
        "UTF-8 split over writes", ["printf '\\360\\237'; sleep 0.3; printf '\\220\\264\\n'"], {**OK, "has": ["🐴"]}
    )
    yield script("cut UTF-8 at the end", ["printf 'x\\360\\237'"], OK)
    yield script("all bytes", ['for i in $(seq 0 255); do printf "\\\\$(printf %o $i)"; done; echo'], OK)
    yield script("NUL bytes", ["printf 'a\\000b\\000\\n'"], OK)
    yield script("byte order mark", ["printf '\\357\\273\\277x\\n'"], OK)
    yield script("very long line", ["head -c 300000 /dev/zero | tr '\\000' y; echo"], {**OK, "has": ["y" * 300000]})
    yield script("CRLF output", ["printf 'a\\r\\nb\\r\\n'"], OK)
    yield script(
        "no newline before the section ends", ["printf abc"], {**OK, "has": ["abc"]}, after_script=["printf def"]
    )
    yield script("only stderr without newline", ["printf err >&2"], {**OK, "has": ["err"]})
    yield script("closed stdout", ["exec 1>&-; sleep 0.2; true"], {"state": "success"}, own=True)
    yield script("writes nothing", [":"], OK)
    yield script(
        "small log limit",
        ["seq 1 1000", "echo the-end"],
        {**OK, "has": ["Job's log exceeded limit of 2048 bytes."]},
        runner="small log",
        own=True,
    )
    yield script(
        "small log limit and failure",
        ["seq 1 1000", "exit 3"],
        failed(3, has=["Job's log exceeded limit of 2048 bytes."]),
        runner="small log",
        own=True,
    )
    yield script(
        "2 MB at once without newline", ["head -c 2000000 /dev/zero | tr '\\000' z"], {**OK, "has": ["z" * 2000000]}
    )


def flags():
    multi = ["echo one\necho two", "echo single"]
    yield script(
        "FF_SCRIPT_SECTIONS",
        multi,
        {**OK, "has": ["section_script_step_0"]},
        variables=on("FF_SCRIPT_SECTIONS"),
        own=True,
        after_script=["echo a\necho b"],
    )
    yield script(
        "FF_SCRIPT_SECTIONS with a failure",
        ["echo one\nexit 3"],
        failed(3),
        variables=on("FF_SCRIPT_SECTIONS"),
        own=True,
    )
    yield script("no trace sections", ["echo x"], OK, features={"trace_sections": False})
    yield script("no features", ["echo x"], OK, features={})
    for flag in (
        "FF_ENABLE_BASH_EXIT_CODE_CHECK",
        "FF_USE_LEGACY_BASH_EVAL",
        "FF_POSIXLY_CORRECT_ESCAPES",
        "FF_ENABLE_JOB_CLEANUP",
        "FF_USE_DYNAMIC_TRACE_FORCE_SEND_INTERVAL",
        "FF_GIT_URLS_WITHOUT_TOKENS",
        "FF_DISABLE_UMASK_FOR_DOCKER_EXECUTOR",
        "FF_HASH_CACHE_KEYS",
    ):
        yield script(
            "%s success" % flag,
            ["echo \"a'b\" '$x' `echo tick`", "false || true", "printf '%s\\n' 'é ! # % & * < > ? [ |'"],
            OK,
            after_script=["echo after-$V"],
            variables=on(flag, V="'\"\\`$(id)!\n\té"),
        )
        yield script(
            "%s failure" % flag,
            ["echo a", "set +e\nfalse\n(exit 4)", "echo b-$?"],
            {"state": "failed" if flag == "FF_ENABLE_BASH_EXIT_CODE_CHECK" else "success"},
            after_script=["exit 1"],
            variables=on(flag),
        )
    yield script(
        "bad flag value", ["echo x-$FF_SCRIPT_SECTIONS"], OK, variables=[("FF_SCRIPT_SECTIONS", "perhaps")], own=True
    )
    yield script(
        "flags in the environment",
        ["echo $FF_USE_FASTZIP $FF_SCRIPT_SECTIONS $FF_TIMESTAMPS"],
        {**OK, "has": ["true false false"]},
        own=True,
    )
    yield script("unknown flag", ["echo x-$FF_NO_SUCH"], {**OK, "has": ["x-true"]}, variables=on("FF_NO_SUCH"))
    yield Case(
        "timestamps",
        lambda w: payload(
            ["printf 'a\\rb\\n'; echo x; echo err >&2; printf end"], variables=[("FF_TIMESTAMPS", "true")]
        ),
        OK,
        own=True,
        after=lambda r, w: (
            None
            if all(b"Z 0" in line[:34] for line in r.raw_log.rstrip(b"\n").split(b"\n"))
            else "a line without a header"
        ),
    )
    yield script(
        "debug trace",
        ["echo traced", "x=1"],
        {**OK, "has": ["+ echo traced"]},
        variables=[("CI_DEBUG_TRACE", "true")],
        own=True,
    )
    yield script(
        "debug trace hides secrets",
        ["echo $S"],
        {**OK, "lacks": ["sup3rs3cret"]},
        variables=[("CI_DEBUG_TRACE", "true"), variable("S", "sup3rs3cret", masked=True)],
        own=True,
    )
    yield script(
        "debug trace false", ["echo traced"], {**OK, "lacks": ["+ echo"]}, variables=[("CI_DEBUG_TRACE", "false")]
    )
    yield script(
        "debug trace refused",
        ["echo traced"],
        {**OK, "has": ["usage is disabled on this Runner"], "lacks": ["+ echo"]},
        variables=[("CI_DEBUG_TRACE", "true")],
        runner="no trace",
    )
    yield script(
        "flags of the runner win",
        ["echo a\necho $FF_SCRIPT_SECTIONS"],
        {**OK, "has": ["\ntrue\n"]},
        variables=[("FF_SCRIPT_SECTIONS", "false")],
        runner="flags",
        own=True,
    )


def all_cases():
    for group in (positions, steps, output, flags):
        yield from group()
