"""Cases: variables of odd names and values, files, masks, GITLAB_ENV."""

from cases import OK, failed, script
from payloads import variable


def names():
    for name, value in (
        ("A.B", "x"),
        ("A-B", "x"),
        ("1A", "x"),
        ("A B", "x"),
        ("É", "x"),
        ("A=B", "x"),
        ("UID", "5"),
        ("EUID", "5"),
        ("PPID", "5"),
        ("BASH_VERSINFO", "x"),
        ("SHELLOPTS", "xtrace"),
        ("BASHOPTS", "x"),
        ("a/b", "x"),
        ("A;id", "x"),
        ("$(id)", "x"),
        ("A\nB", "x"),
        ("", "x"),
    ):
        yield script(
            "variable named %r" % name, ["echo reached-the-script"], {}, variables=[(name, value)], own=name in ("A=B",)
        )
    for name, value in (
        ("PATH", "/usr/bin:/bin:/opt/x"),
        ("HOME", "/tmp/elsewhere"),
        ("IFS", ","),
        ("IFS", "x"),
        ("BASH_ENV", "/dev/null"),
        ("ENV", "/dev/null"),
        ("PS4", "$(id)"),
        ("LANG", "de_DE"),
        ("TMPDIR", "/tmp"),
        ("PWD", "/nowhere"),
        ("OLDPWD", "/x"),
        ("SHELL", "/bin/false"),
        ("SHLVL", "100"),
        ("_", "x"),
        ("TERM", "dumb"),
        ("CDPATH", "/tmp"),
        ("GLOBIGNORE", "*"),
        ("LD_LIBRARY_PATH", "/x"),
        ("TMOUT", "1"),
        ("POSIXLY_CORRECT", "1"),
        ("PROMPT_COMMAND", "echo hi"),
        ("HISTFILE", "/x"),
        ("RANDOM", "5"),
        ("SECONDS", "0"),
        ("LINENO", "3"),
        ("GIT_DIR", "/x"),
        ("CI_JOB_STATUS", "mine"),
        ("CI_JOB_TIMEOUT", "mine"),
        ("CI_SHARED_ENVIRONMENT", "mine"),
        ("CI_SERVER", "mine"),
        ("GITLAB_ENV", "/tmp/x"),
        ("CI_CONCURRENT_ID", "mine"),
        ("OPTIND", "x"),
        ("FUNCNAME", "x"),
        ("GROUPS", "1"),
        ("DIRSTACK", "x"),
        ("HOSTNAME", "h"),
        ("BASH_XTRACEFD", "1"),
        ("MAILCHECK", "x"),
        ("NO_COLOR", "1"),
        ("GZIP", "-9"),
        ("LC_ALL", "C"),
    ):
        yield script(
            "variable %s=%s" % (name, value.replace("/", "\\")),
            ['x=%s; echo "got-${x}-$%s"' % (name, name) if name != "_" else "echo reached"],
            {"state": "success"} if name != "GIT_DIR" else {},
            variables=[(name, value)],
            after_script=["echo after"],
            own=name in ("RANDOM", "LINENO", "CI_CONCURRENT_ID", "BASH_XTRACEFD", "GITLAB_ENV"),
        )
    yield script("PATH without anything", ["echo reached"], {}, variables=[("PATH", "/nowhere")])
    yield script("PATH as a file variable", ["echo reached"], {}, variables=[variable("PATH", "x", file=True)])
    yield script("HOME empty", ["echo reached"], OK, variables=[("HOME", "")])
    yield script(
        "build directory as a variable",
        ["pwd | sed 's/.*builds/builds/'; echo $CI_PROJECT_DIR"],
        {},
        variables=[("CI_PROJECT_DIR", "/tmp/other-dir-x")],
    )


def values():
    yield script("130 kB value", ["echo reached"], {"state": "failed"}, variables=[("V", "x" * 132000)])
    yield script(
        "130 kB file value",
        ["wc -c < $V"],
        {**OK, "has": ["\n132000\n"]},
        variables=[variable("V", "x" * 132000, file=True)],
    )
    yield script(
        "3 MB file value",
        ["wc -c < $V"],
        {**OK, "has": ["\n3000000\n"]},
        variables=[variable("V", "y" * 3000000, file=True)],
    )
    yield script(
        "3 MB of variables",
        ["echo reached"],
        {"state": "failed"},
        variables=[("V%d" % i, "x" * 100000) for i in range(30)],
    )
    yield script(
        "2000 variables",
        ["echo $V1999"],
        {**OK, "has": ["value-1999"]},
        variables=[("V%d" % i, "value-%d" % i) for i in range(2000)],
    )
    for label, value in (
        ("empty", ""),
        ("blank", " "),
        ("newlines", "a\nb\n\n"),
        ("tab", "\t"),
        ("carriage return", "a\rb"),
        ("quotes", "'\"`"),
        ("backslashes", "\\\\n\\x41\\"),
        ("command", "$(id)`id`"),
        ("tilde", "~/x"),
        ("glob", "*"),
        ("unicode", "žluť 🐎"),
        ("exclamation", "a!b!!"),
        ("control", "\x01\x02\x1b[31m\x7f"),
        ("equals", "=a=b"),
        ("dash", "-n -e"),
        ("percent", "%s%d%%"),
        ("braces", "{a,b}"),
        ("hash", "#x"),
        ("semicolon", ";exit 3;"),
        ("newline only", "\n"),
    ):
        for raw in (False, True):
            yield script(
                "value %s%s" % (label, " raw" if raw else ""),
                ["printf '%s' \"$V\" | od -An -c"],
                OK,
                variables=[variable("V", value, raw=raw)],
            )
        yield script("file value %s" % label, ["od -An -c < $V"], OK, variables=[variable("V", value, file=True)])
    for i, (value, wanted) in enumerate(
        (
            ("$A", "a-val"),
            ("${A}", "a-val"),
            ("$$A", "$A"),
            ("$", "$"),
            ("${A", ""),
            ("${}", ""),
            ("$A$B", "a-val"),
            ("${A:-d}", ""),
            ("$1x", "x"),
            ("$/x", "$/x"),
            ("%A%", "%A%"),
            ("a$", "a$"),
            ("$$$A", "$a-val"),
            ("$A_B", ""),
            ("$C", "x$A-y"),
            ("${A}${A}", "a-vala-val"),
            ("$é", "$é"),
            ("\\$A", "\\a-val"),
            ("$?-$#-$@-$*-$!", "----"),
            ("$A-$a", "a-val-"),
            ("$D", "raw $A"),
            ("$V", ""),
        )
    ):
        yield script(
            "expansion %d" % i,
            ['echo "[$V]"'],
            OK,
            variables=[("V", value), ("A", "a-val"), ("C", "x$A-y"), variable("D", "raw $A", raw=True)],
        )
    yield script(
        "file refers to a variable",
        ["cat $F"],
        {**OK, "has": ["ref a-val"]},
        variables=[("A", "a-val"), variable("F", "ref $A\n", file=True)],
    )
    yield script(
        "raw file",
        ["cat $F"],
        {**OK, "has": ["ref $A"]},
        variables=[("A", "a-val"), variable("F", "ref $A\n", file=True, raw=True)],
    )
    yield script(
        "masked file",
        ["cat $F; echo $F | sed 's/.*builds/builds/'"],
        {**OK, "lacks": ["file-s3cret"]},
        variables=[variable("F", "file-s3cret", file=True, masked=True)],
    )
    yield script(
        "file variable's rights",
        ["ls -l $F | cut -c 1-10"],
        {**OK, "has": ["-rw-------"]},
        variables=[variable("F", "x", file=True)],
        own=True,
    )
    yield script("file variable of a bad name", ["echo reached"], {}, variables=[variable("../F", "x", file=True)])
    yield script(
        "file variable is overwritten",
        ["echo more >> $F", "cat $F"],
        {**OK, "has": ["one\nmore"]},
        variables=[variable("F", "one\n", file=True)],
        after_script=["cat $F"],
    )
    yield script(
        "file variable is removed by the job",
        ["rm -rf $CI_PROJECT_DIR.tmp"],
        OK,
        variables=[variable("F", "one\n", file=True)],
        after_script=["cat $F"],
    )
    yield script(
        "file then plain of one name",
        ["echo [$F]"],
        {**OK, "has": ["[plain]"]},
        variables=[variable("F", "one", file=True), ("F", "plain")],
    )
    yield script(
        "plain then file of one name",
        ["cat $F"],
        {**OK, "has": ["two"]},
        variables=[("F", "plain"), variable("F", "two", file=True)],
    )
    yield script(
        "null value", ["echo [$V]"], {"state": "success"}, variables=[{"key": "V", "value": None, "public": True}]
    )
    yield script("missing flags", ["echo [$V]"], {**OK, "has": ["[x]"]}, variables=[{"key": "V", "value": "x"}])
    yield script(
        "removed temporary directory",
        ['rm -rf "$CI_PROJECT_DIR.tmp"', "echo x"],
        OK,
        after_script=["echo K=v >> $GITLAB_ENV; echo after"],
    )
    yield script(
        "removed project directory", ['rm -rf "$CI_PROJECT_DIR"'], {"state": "success"}, after_script=["echo after"]
    )
    yield script("unreadable project directory", ["chmod 000 ."], {"state": "success"}, after_script=["echo after"])
    yield script(
        "the runner's environment",
        ["echo $R_PLAIN [$R_EMPTY] $R_REF $R_OVER $R_EQ"],
        {**OK, "has": ["from-runner []", "from-job a=b=c"]},
        variables=[("R_OVER", "from-job")],
        runner="environment",
    )


def environment_file():
    for label, lines in (
        ("two", "A=1\\nB=2\\n"),
        ("blanks", "  A=1  \\n"),
        ("no newline", "A=1"),
        ("dollar", "A=$HOME\\n"),
        ("equals", "A=b=c\\n"),
        ("empty value", "A=\\n"),
        ("blank inside", "A=b c\\n"),
        ("quotes in the middle", 'A=b\\"c\\n'),
    ):
        yield script(
            "GITLAB_ENV %s" % label,
            ["printf '%s' \"%s\" >> $GITLAB_ENV" % ("%b", lines.replace("$", "\\$"))],
            OK,
            after_script=['echo "[$A] [$B]"'],
            own=label in ("no newline",),
        )
    for label, lines in (
        ("no assignment", "hello\\n"),
        ("bad name", "A.B=1\\nC=2\\n"),
        ("read-only", "UID=5\\n"),
        ("comment", "# x\\n"),
        ("empty line", "\\nA=1\\n"),
    ):
        yield script(
            "GITLAB_ENV %s" % label,
            ["printf '%%b' '%s' >> $GITLAB_ENV" % lines],
            OK,
            after_script=['echo "[$A] [$C] after-ran"'],
            own=True,
        )
    yield script(
        "GITLAB_ENV PATH", ["echo PATH=/nowhere >> $GITLAB_ENV"], {}, after_script=["echo after-$PATH"], own=True
    )
    yield script(
        "GITLAB_ENV overrides",
        ["echo V=new >> $GITLAB_ENV"],
        {**OK, "has": ["got-new"]},
        variables=[("V", "old")],
        after_script=["echo got-$V"],
    )
    yield script("GITLAB_ENV removed", ["rm $GITLAB_ENV"], OK, after_script=["echo after"])
    yield script(
        "GITLAB_ENV is a directory",
        ["rm -f $GITLAB_ENV; mkdir $GITLAB_ENV"],
        {"state": "success"},
        after_script=["echo after"],
    )
    yield script(
        "GITLAB_ENV binary",
        ["head -c 1000 /dev/urandom > $GITLAB_ENV"],
        {"state": "success"},
        after_script=["echo after"],
        own=True,
    )


def masks():
    secret = variable("S", "sup3rs3cret", masked=True)
    yield script(
        "mask byte by byte",
        ["for c in s u p 3 r s 3 c r e t; do printf $c; sleep 0.05; done; echo"],
        {**OK, "lacks": ["sup3rs3cret"]},
        variables=[secret],
    )
    yield script(
        "mask at the end without newline", ["printf sup3rs3cret"], {**OK, "lacks": ["sup3rs3cret"]}, variables=[secret]
    )
    yield script("part of a secret at the end", ["printf sup3rs3"], {**OK, "has": ["sup3rs3"]}, variables=[secret])
    yield script("mask on stderr", ["echo $S >&2"], {**OK, "lacks": ["sup3rs3cret"]}, variables=[secret])
    yield script("mask in the command", ["echo sup3rs3cret"], {**OK, "lacks": ["sup3rs3cret"]}, variables=[secret])
    yield script(
        "mask in an error", ["/bin/sup3rs3cret"], {"state": "failed", "lacks": ["sup3rs3cret"]}, variables=[secret]
    )
    yield script(
        "mask many times",
        ['for i in 1 2 3; do printf "$S$S"; done; echo'],
        {**OK, "has": ["[MASKED]" * 6]},
        variables=[secret],
    )
    yield script("mask around", ["echo a${S}b"], {**OK, "has": ["a[MASKED]b"]}, variables=[secret])
    yield script(
        "masks that overlap",
        ["echo abcdef"],
        {**OK, "has": ["[MASKED]"]},
        variables=[variable("S", "abcd", masked=True), variable("T", "cdef", masked=True)],
        own=True,
    )
    yield script(
        "masks of which one begins the other",
        ["echo abcdef abc"],
        {**OK, "has": ["[MASKED] [MASKED]"]},
        variables=[variable("S", "abc", masked=True), variable("T", "abcdef", masked=True)],
    )
    yield script(
        "mask of many lines",
        ['echo "$S"'],
        {**OK, "lacks": ["line-one-secret", "line-two-secret"]},
        variables=[variable("S", "line-one-secret\nline-two-secret", masked=True)],
    )
    yield script(
        "one line of a secret",
        ['echo "$S" | tail -1'],
        {**OK, "lacks": ["line-two-secret"]},
        variables=[variable("S", "line-one-secret\nline-two-secret", masked=True)],
        own=True,
    )
    yield script(
        "mask of unicode",
        ["echo $S"],
        {**OK, "lacks": ["žluťoučký"]},
        variables=[variable("S", "žluťoučký", masked=True)],
    )
    yield script(
        "mask with blanks around",
        ['echo "[$S]"'],
        {**OK, "lacks": ["padded-value"]},
        variables=[variable("S", "  padded-value  ", masked=True)],
    )
    yield script(
        "mask that refers",
        ["echo $S"],
        {**OK, "lacks": ["pre-inner1"]},
        variables=[("I", "inner1"), variable("S", "pre-$I", masked=True)],
    )
    yield script(
        "mask of regular expression",
        ["echo 'a.*b axxb'"],
        {**OK, "has": ["[MASKED] axxb"]},
        variables=[variable("S", "a.*b", masked=True)],
    )
    yield script(
        "mask of MASKED",
        ["echo MASKED $T"],
        {"state": "success"},
        variables=[variable("S", "MASKED", masked=True), variable("T", "other-secret", masked=True)],
        own=True,
    )
    yield script(
        "mask of the failure",
        ["exit 1"],
        failed(1, lacks=["Job failed: exit status 1"]),
        variables=[variable("S", "Job failed: exit status 1", masked=True)],
        own=True,
    )
    yield script(
        "mask of one character",
        ["echo xyz"],
        {"state": "success"},
        variables=[variable("S", "x", masked=True)],
        own=True,
    )
    yield script(
        "200 masks",
        ["echo $S150"],
        {**OK, "lacks": ["value-of-150"]},
        variables=[variable("S%d" % i, "value-of-%d-x" % i, masked=True) for i in range(200)],
    )
    yield script(
        "mask of 100 kB",
        ["echo $S; echo end"],
        {**OK, "has": ["[MASKED]\nend"], "lacks": ["mmmmmmmm"]},
        variables=[variable("S", "m" * 100000, masked=True)],
    )
    yield script("mask across colours", ["printf 'sup3\\033[31mrs3cret\\n'"], {"state": "success"}, variables=[secret])
    yield script(
        "tokens",
        ["echo glpat-a gldt-abc glrt-t1_x.y.z glcbt-64_q glptt-x- _gitlab_session=abc glsoat-9 glpat-"],
        {**OK, "has": ["glpat-[MASKED] gldt-[MASKED]"]},
    )
    yield script(
        "token split over writes",
        ["printf 'glpat-abc'; sleep 0.3; echo 'def ghi'"],
        {**OK, "has": ["glpat-[MASKED] ghi"]},
    )
    yield script(
        "URL parameters",
        ["echo 'x?private_token=abc&rss_token=d x?X-Amz-Signature=q&z=1 rss_token=keep \"x?authenticity_token=r\"'"],
        OK,
        own=True,
    )
    yield script(
        "URL parameter split",
        ["printf 'http://x/?private_to'; sleep 0.3; printf 'ken=abc'; sleep 0.3; echo 'def&y=1'"],
        {**OK, "has": ["private_token=[MASKED]&y=1"]},
    )
    yield script(
        "prefixes of the server",
        ["echo my-prefix:abcd"],
        {**OK, "has": ["my-prefix:[MASKED]"]},
        features={"trace_sections": True, "token_mask_prefixes": ["my-prefix:"]},
    )


def all_cases():
    for group in (names, values, environment_file, masks):
        yield from group()
