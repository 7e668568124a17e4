"""Cases: git in every strategy, submodules, LFS, flags, hooks, what the server and an earlier job do to it."""

import os
import subprocess
import zlib

from cases import KEEP, OK, failed, script, with_git
from payloads import make_repository, payload, variable
from run_cases import Case


def number_of(name):
    return 800000 + zlib.crc32(name.encode()) % 100000


def git_case(name, lines, expect, build=None, files=None, jobs=None, change=None, **more):
    """`jobs` are dicts of what each job of the chain has on its own; `change(body, world, sha)` edits the last one."""
    keep = {k: more.pop(k) for k in KEEP if k in more}
    repository = "group/g%s.git" % number_of(name)

    def make(world):
        git = world.repository(repository, files, build)
        chain = []
        for job in jobs or [{}]:
            given = {"strategy": "fetch", "project": number_of(name), **more, **job}
            chain.append(payload(given.pop("lines", lines), git=git, **given))
        if change:
            change(chain[-1], world, git[1])
        return chain

    return Case(name, make, expect, **keep)


def info(**values):
    return lambda body, world, sha: body["git_info"].update(values)


SHOW = ["git log --format=%s | cat", "git status --short --branch | cat", "ls"]


def three_commits(world, run, work):
    run("tag", "v1")
    for i in (2, 3):
        with open(os.path.join(work, "f%d" % i), "w", encoding="utf-8") as file:
            file.write("%d\n" % i)
        run("add", "-A")
        run("commit", "-q", "-m", "commit %d" % i)
    run("tag", "-a", "v3", "-m", "annotated")
    run("branch", "other", "HEAD~1")


def depth():
    for depth_ in (0, 1, 2, 50, -1):
        for strategy in ("clone", "fetch"):
            yield git_case(
                "depth %d %s" % (depth_, strategy),
                SHOW,
                OK,
                build=three_commits,
                strategy=strategy,
                change=info(depth=depth_),
            )

    def unshallow(name, first, second):
        def make(world):
            git = world.repository("group/g%s.git" % number_of(name), None, three_commits)
            chain = [payload(SHOW, git=git, strategy="fetch", project=number_of(name)) for _ in range(2)]
            chain[0]["git_info"]["depth"], chain[1]["git_info"]["depth"] = first, second
            return chain

        return Case(name, make, OK)

    yield unshallow("shallow, then whole", 1, 0)
    yield unshallow("whole, then shallow", 0, 1)
    yield unshallow("shallow, then deeper", 1, 3)
    yield git_case(
        "tag",
        SHOW + ["git tag | cat"],
        OK,
        build=three_commits,
        change=lambda b, w, s: b["git_info"].update(ref="v3", ref_type="tag", refspecs=["+refs/tags/v3:refs/tags/v3"]),
    )
    yield git_case(
        "all tags",
        ["git tag | cat", "git branch -r | cat"],
        OK,
        build=three_commits,
        change=info(refspecs=["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"], depth=0),
    )
    yield git_case(
        "pipeline ref",
        SHOW,
        {},
        build=lambda w, run, work: run("update-ref", "refs/pipelines/77", "HEAD"),
        change=info(refspecs=["+refs/pipelines/77:refs/pipelines/77", "+refs/heads/main:refs/remotes/origin/main"]),
    )
    yield git_case(
        "missing ref",
        ["true"],
        {"state": "failed"},
        change=info(refspecs=["+refs/heads/gone:refs/remotes/origin/gone"]),
    )
    yield git_case("no refspecs", SHOW, {}, change=info(refspecs=[]))
    yield git_case(
        "sha of an older commit",
        SHOW,
        {},
        build=three_commits,
        strategy="clone",
        change=lambda b, w, s: b["git_info"].update(
            depth=0,
            sha=subprocess.run(
                [
                    "git",
                    "-C",
                    os.path.join(w.git_root, "group/g%s.git" % number_of("sha of an older commit")),
                    "rev-parse",
                    "main~2",
                ],
                stdout=subprocess.PIPE,
                check=True,
            )
            .stdout.decode()
            .strip(),
        ),
    )
    yield git_case(
        "short sha", ["true"], {"state": "failed"}, change=lambda b, w, s: b["git_info"].update(sha="12345"), own=True
    )
    yield git_case(
        "sha of eight", ["git rev-parse HEAD | cut -c 1-4"], {}, change=lambda b, w, s: b["git_info"].update(sha=s[:8])
    )
    yield git_case("sha like an option", ["true"], {"state": "failed"}, change=info(sha="--orphan=abcdefgh"), own=True)
    yield git_case(
        "refspec like an option", ["true"], {}, change=info(refspecs=["--upload-pack=touch /tmp/x-hacked"]), own=True
    )
    yield git_case(
        "branch named as a command",
        ["git rev-parse --abbrev-ref HEAD"],
        {**OK, "has": ["(ref is $(id))"], "lacks": ["uid="]},
        build=lambda w, run, work: run("branch", "$(id)"),
        change=info(ref="$(id)", refspecs=["+refs/heads/$(id):refs/remotes/origin/$(id)"]),
    )
    yield git_case(
        "branch of odd characters",
        SHOW,
        OK,
        build=lambda w, run, work: run("branch", "feature/ž-'q\"#`x`"),
        change=info(
            ref="feature/ž-'q\"#`x`", refspecs=["+refs/heads/feature/ž-'q\"#`x`:refs/remotes/origin/feature/ž-'q\"#`x`"]
        ),
    )
    yield git_case("empty ref", SHOW, OK, change=info(ref=""))


def strategies():
    dirt = ["mkdir -p dirt; echo x > dirt/f; echo changed > README.md; echo y > .hidden"]
    for strategy in ("clone", "fetch", "none", "empty"):
        yield git_case(
            "%s after dirt" % strategy,
            ["ls -A", "cat README.md || true"],
            OK,
            jobs=[{"lines": dirt}, {"strategy": strategy}],
        )
    yield git_case("strategy is unknown", ["ls"], OK, strategy="sideways", own=True)
    yield git_case("strategy is empty text", ["ls"], OK, strategy="")
    yield git_case("strategy not given, fetch", ["ls"], OK, strategy="", allow_git_fetch=True)
    yield git_case("strategy not given, clone", ["ls"], OK, strategy="", allow_git_fetch=False)
    yield git_case("strategy in capitals", ["ls"], OK, strategy="CLONE", own=True)
    yield git_case(
        "none twice", ["ls; touch kept"], {**OK, "has": ["\nkept"]}, jobs=[{"strategy": "none"}, {"strategy": "none"}]
    )
    yield git_case(
        "GIT_CHECKOUT false", ["ls -A"], {**OK, "has": ["Skipping Git checkout"]}, variables=[("GIT_CHECKOUT", "false")]
    )
    yield git_case(
        "GIT_CHECKOUT false, later",
        ["cat README.md"],
        OK,
        jobs=[{"lines": ["echo x > README.md; touch left"]}, {"variables": [("GIT_CHECKOUT", "false")]}],
    )
    yield git_case("GIT_CHECKOUT is no boolean", ["ls"], OK, variables=[("GIT_CHECKOUT", "maybe")])
    for flags in ("none", "-ffdx -e kept", "-n", "-ffd", "--surely-wrong", "-ffdx -e 'a b'", " ", "-ffdx $(id)"):
        yield git_case(
            "clean flags %s" % flags,
            ["ls -A"],
            {},
            jobs=[
                {"lines": ["touch kept other; echo other > .git/info/exclude"]},
                {"variables": [variable("GIT_CLEAN_FLAGS", flags, raw=True)]},
            ],
        )
    for flags in (
        "--tags",
        "none",
        "--prune --tags --verbose",
        "--surely-wrong",
        "--no-tags --quiet",
        "--depth 1 --quiet",
    ):
        yield git_case(
            "fetch flags %s" % flags,
            ["git tag | cat"],
            {},
            build=three_commits,
            variables=[("GIT_FETCH_EXTRA_FLAGS", flags)],
        )
    yield git_case(
        "clone path refused",
        ["pwd"],
        {"state": "failed", "has": ["setting GIT_CLONE_PATH is not allowed"]},
        variables=[("GIT_CLONE_PATH", "$CI_BUILDS_DIR/mine")],
    )
    yield git_case(
        "clone path",
        ["pwd | sed 's/.*builds/builds/'", "ls"],
        {**OK, "has": ["builds/mine-1"]},
        runner="custom dir",
        variables=[("GIT_CLONE_PATH", "$CI_BUILDS_DIR/mine-1")],
    )
    yield git_case(
        "clone path outside",
        ["pwd"],
        {"state": "failed", "has": ["has to be within"]},
        runner="custom dir",
        variables=[("GIT_CLONE_PATH", "/tmp/elsewhere")],
    )
    yield git_case(
        "clone path climbs",
        ["pwd"],
        {"state": "failed"},
        runner="custom dir",
        variables=[("GIT_CLONE_PATH", "$CI_BUILDS_DIR/../x")],
    )
    yield git_case(
        "clone path relative",
        ["pwd | sed 's/.*builds/builds/'"],
        {},
        runner="custom dir",
        variables=[("GIT_CLONE_PATH", "relative/dir")],
    )
    yield git_case(
        "clone path is the root",
        ["pwd"],
        {},
        runner="custom dir",
        variables=[("GIT_CLONE_PATH", "$CI_BUILDS_DIR")],
        strategy="none",
    )
    yield git_case(
        "clean_git_config",
        ["ls -A", "git config user.x y"],
        {**OK, "has": ["Created fresh repository"]},
        runner="clean config",
        jobs=[{}, {}],
        own=True,
    )
    yield git_case(
        "clone_url",
        ["git remote get-url origin | sed 's/:[0-9]*\\//:P\\//'"],
        {},
        runner="clone url",
        variables=[("CI_PROJECT_PATH", "group/g%d" % number_of("clone_url"))],
    )
    for flag in (
        "FF_GIT_URLS_WITHOUT_TOKENS",
        "FF_ENABLE_JOB_CLEANUP",
        "FF_USE_GIT_NATIVE_CLONE",
        "FF_USE_GIT_PROACTIVE_AUTH",
        "FF_POSIXLY_CORRECT_ESCAPES",
        "FF_ENABLE_BASH_EXIT_CODE_CHECK",
    ):
        for strategy in ("clone", "fetch"):
            yield git_case(
                "%s %s" % (flag, strategy),
                ["ls -A; touch left", "git fetch -q origin && echo fetched"],
                {**OK, "has": ["fetched"]},
                jobs=[{}, {}],
                strategy=strategy,
                variables=[(flag, "true")],
            )
    yield git_case(
        "job cleanup none",
        ["touch left"],
        {**OK, "has": ["Skipping build directory cleanup step"]},
        strategy="none",
        variables=[("FF_ENABLE_JOB_CLEANUP", "true")],
    )
    yield git_case(
        "debug trace of git", ["ls"], {**OK, "lacks": ["glcbt-64_"]}, variables=[("CI_DEBUG_TRACE", "true")], own=True
    )
    yield git_case(
        "sh",
        ["ls", "echo 'a\\nb'; printf '%s\\n' \"$V\""],
        OK,
        runner="sh",
        variables=[variable("V", "a\\nb'é\"`$x", raw=True)],
    )
    yield git_case("object format", ["ls"], {"state": "failed"}, change=info(repo_object_format="sha256"))
    yield git_case(
        "repository url without user",
        ["ls"],
        {},
        change=lambda b, w, s: b["git_info"].update(
            repo_url=b["git_info"]["repo_url"].split("://")[0] + "://" + b["git_info"]["repo_url"].split("@")[1]
        ),
    )
    yield git_case(
        "unicode file names",
        ["ls; cat 'ž x/ý'"],
        {**OK, "has": ["content-y"]},
        files={"ž x/ý": "content-y\n", "-n": "x\n"},
    )
    yield git_case(
        "executable and link",
        ["./run; readlink link"],
        {**OK, "has": ["ran", "run"]},
        build=lambda w, run, work: (
            open(os.path.join(work, "run"), "w").write("#!/bin/sh\necho ran\n"),
            os.chmod(os.path.join(work, "run"), 0o755),
            os.symlink("run", os.path.join(work, "link")),
            run("add", "-A"),
            run("commit", "-qm", "x"),
        )[0],
    )


def hooks():
    both = [
        {"name": "pre_get_sources_script", "script": ["echo payload-pre", "pwd > /dev/null"]},
        {"name": "post_get_sources_script", "script": ["echo payload-post; ls", "true"]},
    ]
    yield git_case("payload hooks", ["ls"], {**OK, "has": ["payload-pre", "payload-post"]}, hooks=both)
    yield git_case("payload hooks, none", ["ls"], {**OK, "lacks": ["payload-pre\n"]}, hooks=both, strategy="none")
    yield git_case("payload hooks, empty", ["ls"], {**OK, "lacks": ["payload-pre\n"]}, hooks=both, strategy="empty")
    yield git_case(
        "config hooks", ["ls"], {**OK, "has": ["config-pre-hook", "config-post-hook in README.md"]}, runner="hooks"
    )
    yield git_case("both hooks", ["ls"], OK, runner="hooks", hooks=both)
    yield git_case("failing config hook", ["ls"], failed(7), runner="failing hook")
    yield git_case(
        "failing pre hook", ["ls"], failed(8), hooks=[{"name": "pre_get_sources_script", "script": ["exit 8"]}]
    )
    yield git_case(
        "failing post hook", ["ls"], failed(9), hooks=[{"name": "post_get_sources_script", "script": ["exit 9"]}]
    )
    yield git_case(
        "post hook changes directory",
        ["basename $(dirname $PWD)"],
        OK,
        hooks=[{"name": "post_get_sources_script", "script": ["cd /"]}],
    )
    yield git_case("unknown hook", ["ls"], OK, hooks=[{"name": "what_ever", "script": ["echo not-''run"]}])
    yield git_case(
        "multi line hook",
        ["ls"],
        OK,
        hooks=[{"name": "pre_get_sources_script", "script": ["echo one\necho two"]}],
        variables=[("FF_SCRIPT_SECTIONS", "false")],
    )
    yield git_case(
        "hook sets a variable",
        ["echo [$HOOKED]"],
        OK,
        hooks=[{"name": "pre_get_sources_script", "script": ["export HOOKED=1", "echo HOOKED=env >> $GITLAB_ENV"]}],
    )


def submodule(relative=False, nested=False, name="sub"):
    def build(world, run, work):
        inner = None
        base = os.path.basename(work)[: -len(".git.work")]
        if nested:
            make_repository(world.git_root, "group/%s-inner.git" % base, {"inner.txt": "inner\n"})
            inner = "group/%s-inner.git" % base

        def add(run_, target, path):
            url = os.path.join(world.git_root, target)
            run_("submodule", "add", "-q", url, path)
            run_(
                "config",
                "-f",
                ".gitmodules",
                "submodule.%s.url" % path,
                "../%s" % os.path.basename(target) if relative else "%s/%s" % (world.url, target),
            )
            run_("add", "-A")
            run_("commit", "-q", "-m", "submodule %s" % path)

        sub = "group/%s-sub.git" % base
        make_repository(
            world.git_root, sub, {"sub.txt": "sub\n"}, (lambda r, w: add(r, inner, "in")) if inner else None
        )
        add(run, sub, name)

    return build


def submodules():
    look = [
        "cat sub/sub.txt || echo no-sub",
        "cat sub/in/inner.txt || echo no-inner",
        "git submodule status --recursive | cut -c 1 | cat",
    ]
    for strategy in ("none", "normal", "recursive", "sideways", ""):
        for relative in (False, True):
            if relative and strategy not in ("normal", "recursive"):
                continue
            yield git_case(
                "submodules %s%s" % (strategy or "empty text", " relative" if relative else ""),
                look,
                {"state": "failed"} if strategy == "sideways" else OK,
                build=submodule(relative, True),
                variables=[("GIT_SUBMODULE_STRATEGY", strategy)],
                own=True,
            )
    recursive = ("GIT_SUBMODULE_STRATEGY", "recursive")
    normal = ("GIT_SUBMODULE_STRATEGY", "normal")
    yield git_case(
        "submodules twice",
        look,
        OK,
        build=submodule(True, True),
        variables=[recursive],
        jobs=[{"lines": ["echo dirt > sub/dirt; echo x >> sub/sub.txt; touch sub/in/dirt"]}, {}],
        own=True,
    )
    yield git_case(
        "submodules depth",
        look + ["git -C sub rev-parse --is-shallow-repository"],
        OK,
        build=submodule(True),
        variables=[normal, ("GIT_SUBMODULE_DEPTH", "1")],
        own=True,
    )
    yield git_case(
        "submodules bad depth",
        look,
        OK,
        build=submodule(True),
        variables=[normal, ("GIT_SUBMODULE_DEPTH", "deep")],
        own=True,
    )
    yield git_case(
        "submodule paths", look, OK, build=submodule(True), variables=[normal, ("GIT_SUBMODULE_PATHS", "sub")], own=True
    )
    yield git_case(
        "submodule paths excluded",
        look,
        OK,
        build=submodule(True),
        variables=[normal, ("GIT_SUBMODULE_PATHS", ":(exclude)sub")],
        own=True,
    )
    yield git_case(
        "submodule paths bad",
        look,
        {"state": "failed"},
        build=submodule(True),
        variables=[normal, ("GIT_SUBMODULE_PATHS", ":(exclude) sub")],
        own=True,
    )
    yield git_case(
        "submodule paths missing",
        look,
        {},
        build=submodule(True),
        variables=[normal, ("GIT_SUBMODULE_PATHS", "nothing-there")],
        own=True,
    )
    yield git_case(
        "submodule update flags",
        look,
        {},
        build=submodule(True),
        variables=[normal, ("GIT_SUBMODULE_UPDATE_FLAGS", "--remote --jobs 2")],
        own=True,
    )
    yield git_case(
        "submodule bad update flags",
        look,
        {"state": "failed"},
        build=submodule(True),
        variables=[normal, ("GIT_SUBMODULE_UPDATE_FLAGS", "--surely-wrong")],
        own=True,
    )
    yield git_case(
        "submodule of a blank name",
        ["cat 'a b/sub.txt'"],
        OK,
        build=submodule(True, name="a b"),
        variables=[normal],
        own=True,
    )
    yield git_case(
        "submodule clean none",
        look,
        OK,
        build=submodule(True),
        variables=[normal, ("GIT_CLEAN_FLAGS", "none")],
        jobs=[{"lines": ["touch sub/dirt"]}, {}],
        own=True,
    )
    yield git_case(
        "submodule clone",
        look,
        OK,
        build=submodule(True),
        variables=[normal],
        strategy="clone",
        jobs=[{}, {}],
        own=True,
    )
    yield git_case(
        "submodule with strategy none", ["ls"], OK, build=submodule(True), variables=[normal], strategy="none"
    )
    yield git_case(
        "submodule with cleanup",
        look + ["touch sub/left left"],
        OK,
        build=submodule(True),
        variables=[recursive, ("FF_ENABLE_JOB_CLEANUP", "true")],
        own=True,
    )
    yield git_case(
        "submodule without tokens",
        look,
        OK,
        build=submodule(False),
        variables=[recursive, ("FF_GIT_URLS_WITHOUT_TOKENS", "true")],
        own=True,
    )
    yield git_case(
        "untracked file in the submodule's place",
        look,
        {},
        build=submodule(True),
        variables=[normal, ("GET_SOURCES_ATTEMPTS", "2")],
        jobs=[{"variables": [], "lines": ["mkdir -p sub; echo x > sub/x"]}, {}],
        own=True,
    )
    yield git_case("no submodules at all", ["ls"], OK, variables=[recursive])
    # No token is on disk, so that submodules that the script itself fetches need the flag that lends it to every git.
    yield git_case(
        "submodule fetch in the script",
        ["git submodule update --init && cat sub/sub.txt"],
        {},
        build=submodule(True),
        own=True,
    )
    yield git_case(
        "submodule fetch in the script with the flag",
        ["git submodule update --init && cat sub/sub.txt"],
        {**OK, "has": ["\nsub\n"]},
        build=submodule(True),
        variables=[("FF_GIT_URLS_WITHOUT_TOKENS", "true")],
    )

    def lost(world, run, work):
        submodule(True)(world, run, work)
        run("config", "-f", ".gitmodules", "submodule.sub.url", "../gone.git")
        run("commit", "-qam", "lost")

    yield git_case("submodule lost", look, {"state": "failed"}, build=lost, variables=[normal], own=True)


def lfs(world, run, work):
    """One LFS file; its object lies in the repository on the server, which serves no LFS API."""
    with open(os.path.join(work, ".gitattributes"), "w", encoding="utf-8") as file:
        file.write("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    with open(os.path.join(work, "a.bin"), "w", encoding="utf-8") as file:
        file.write("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 4\n" % ("0" * 64))
    run("add", "-A")
    run("commit", "-q", "-m", "lfs")


def large_files():
    yield git_case("LFS without a server", ["head -1 a.bin"], {"state": "failed"}, build=lfs, own=True)
    yield git_case(
        "LFS skipped",
        ["head -1 a.bin"],
        {**OK, "has": ["version https://git-lfs"]},
        build=lfs,
        variables=[("GIT_LFS_SKIP_SMUDGE", "1")],
    )
    yield git_case("LFS without checkout", ["ls"], OK, build=lfs, variables=[("GIT_CHECKOUT", "false")])
    yield git_case(
        "LFS, bad setting",
        ["ls"],
        {"state": "failed"},
        build=lfs,
        variables=[("GIT_LFS_SKIP_SMUDGE", "sometimes")],
        own=True,
    )


def servers():
    def answers(*statuses):
        def change(body, world, sha):
            path = body["git_info"]["repo_url"].split("/", 3)[3]
            world.server.git_statuses[path] = list(statuses)

        return change

    for code in (401, 403, 404, 500, 503):
        yield git_case("git server says %d" % code, ["ls"], {"state": "failed"}, change=answers(*[code] * 20))
    yield git_case("git server reset", ["ls"], {"state": "failed"}, change=answers(*[0] * 20))
    yield git_case(
        "git server fails once",
        ["ls"],
        {**OK, "has": ["Deleting tracked and untracked files..."]},
        change=answers(500),
        variables=[("GET_SOURCES_ATTEMPTS", "2")],
    )
    yield git_case(
        "git server fails twice",
        ["ls"],
        OK,
        change=answers(500, 500),
        variables=[("GET_SOURCES_ATTEMPTS", "3"), ("FF_USE_EXPONENTIAL_BACKOFF_STAGE_RETRY", "false")],
        limit=60,
    )
    yield git_case(
        "git server fails always",
        ["ls"],
        {"state": "failed"},
        change=answers(*[500] * 20),
        variables=[("GET_SOURCES_ATTEMPTS", "2"), ("FF_USE_EXPONENTIAL_BACKOFF_STAGE_RETRY", "false")],
        limit=60,
    )
    for value in ("0", "11", "x", "-1", "1"):
        yield git_case(
            "GET_SOURCES_ATTEMPTS %s" % value,
            ["ls"],
            OK,
            variables=[("GET_SOURCES_ATTEMPTS", value)],
            own=value in ("0", "11", "-1"),
        )
    yield git_case(
        "get_sources_timeout",
        ["ls"],
        {"state": "failed", "reason": "job_execution_timeout", "has": ["get sources timeout: exceeded timeout of 3s"]},
        change=answers(30.0),
        runner="timeouts",
        own=True,
    )
    yield git_case(
        "job timeout in get_sources",
        ["ls"],
        {"state": "failed", "reason": "job_execution_timeout"},
        change=answers(30.0),
        timeout=3,
    )
    yield git_case(
        "no host",
        ["ls"],
        {"state": "failed"},
        change=lambda b, w, s: b["git_info"].update(repo_url="http://gitlab-ci-token:x@nowhere.invalid/a/b.git"),
    )
    yield git_case(
        "local repository",
        ["ls"],
        {},
        change=lambda b, w, s: b["git_info"].update(
            repo_url=os.path.join(w.git_root, "group/g%d.git" % number_of("local repository"))
        ),
    )
    yield git_case(
        "empty repository url", ["ls"], {"state": "failed"}, change=lambda b, w, s: b["git_info"].update(repo_url="")
    )


def left_behind():
    for label, lines in (
        (
            "conflicted merge",
            [
                "git -c user.name=a -c user.email=b commit -q --allow-empty -m x; git checkout -q -b other; echo a > README.md; git -c user.name=a -c user.email=b commit -qam y"
            ],
        ),
        ("stash and index", ["echo a > README.md; git add -A; touch new; git add new"]),
        ("removed index", ["rm .git/index"]),
        ("corrupt index", ["echo junk > .git/index"]),
        ("detached worktree", ["git worktree add -q ../wt-$CI_JOB_ID"]),
        ("another remote", ["git remote set-url origin http://127.0.0.1:1/x.git"]),
        ("file where a directory is", ["rm -rf README.md; mkdir README.md; touch README.md/x"]),
        ("renamed branch", ["git checkout -q -b main; git branch -m else"]),
        ("shallow file", ["echo junk > .git/shallow"]),
        ("nested repository", ["git init -q nested; touch nested/x"]),
        ("unreadable file", ["touch locked; chmod 000 locked"]),
        ("immutable names", ["touch -- '-rf' $'new\\nline' 'a b'"]),
        ("project is a link", ["cd ..; d=$(basename $OLDPWD); mv $d $d-x; ln -s $d-x $d"]),
        ("removed .git", ["rm -rf .git"]),
        ("fetch head", ["mkdir .git/FETCH_HEAD 2>/dev/null || { rm .git/FETCH_HEAD; mkdir .git/FETCH_HEAD; }"]),
        ("config is broken", ["echo '[core' > .git/config"]),
        ("ref is broken", ["echo junk > .git/refs/remotes/origin/main"]),
        ("packed-refs is broken", ["echo junk > .git/packed-refs"]),
        ("pack is broken", ["for p in .git/objects/pack/*.pack; do chmod u+w $p; echo junk > $p; done"]),
        ("gc is running", ["touch .git/gc.pid"]),
    ):
        yield git_case(
            "after %s" % label, ["cat README.md", "ls"], {**OK, "has": ["hello"]}, jobs=[{"lines": lines}, {}], own=True
        )
    yield git_case("new commit", ["cat README.md"], OK, jobs=[{}, {}])


def all_cases():
    for group in (depth, strategies, hooks, submodules, large_files, servers, left_behind):
        yield from group()
