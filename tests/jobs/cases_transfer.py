"""Cases: artifacts, dependencies and caches."""

import gzip
import io
import os
import zipfile

from cases import OK, archive, failed, script, uploaded, zip_names
from cases_sources import git_case
from payloads import payload, variable
from run_cases import Case

TREE = [
    "mkdir -p d/e .hid 'sp ace' empty; echo 1 > d/a.txt; echo 2 > d/b.log; echo 3 > d/e/c.txt; echo 4 > .hid/x; echo 5 > 'sp ace/ž'; ln -s a.txt d/link; ln -s e d/dirlink; ln -s /etc/passwd out; echo 6 > top.txt; ln -s nowhere d/dangling"
]


def patterns():
    for pattern in (
        "d",
        "d/",
        "d/*",
        "d/**",
        "d/**/*",
        "**/*.txt",
        "*.txt",
        "d/{a,b}.*",
        "d/[ab].txt",
        "d/?.txt",
        "./d",
        ".//d//",
        "$CI_PROJECT_DIR/d",
        ".",
        "./",
        "*",
        "**",
        "d/link",
        "d/dirlink/",
        "d/dirlink/c.txt",
        "out",
        "empty",
        "empty/",
        "sp ace",
        "sp ace/*",
        "../x",
        "/etc/passwd",
        "../$CI_PROJECT_NAME/d",
        "",
        "d/\\*",
        "!d",
        "[",
        "{a",
        "d/a.txt/",
        "d/../top.txt",
        ".hid",
        ".hid/*",
        "$NAME.txt",
        "${NAME}.txt",
        "$UNSET",
        "$(id)",
        "~",
        "d/*.{txt,log}",
        "d/dangling",
        "D/A.TXT",
        "{d,top.txt}",
    ):
        yield script(
            "pattern %s" % (pattern.replace("/", "\\") or "(empty)"),
            TREE,
            OK,
            artifacts=[archive([pattern])],
            variables=[("NAME", "top")],
            strategy="empty",
        )
    for paths, exclude in (
        (["d"], ["d/e"]),
        (["d"], ["d/e/**"]),
        (["d"], ["**/*.log"]),
        (["d", "top.txt"], ["d/**/*", "d"]),
        (["d/", "d/a.txt"], ["d/a.txt"]),
        (["."], ["d/**", "*.txt"]),
        (["d"], ["../x", "d/a.txt"]),
        (["d"], ["$NAME"]),
        ([], ["d"]),
        (["d"], ["d/a.txt", "d/a.*"]),
    ):
        yield script(
            "exclude %s of %s" % (exclude, paths),
            TREE,
            OK,
            artifacts=[archive(paths, exclude=exclude)],
            variables=[("NAME", "d/b.log")],
            strategy="empty",
            own=len(exclude) == 2,
        )
    yield script(
        "many patterns", TREE, OK, artifacts=[archive(["d/*", "nothing", "top.txt", "d/a.txt"])], strategy="empty"
    )
    for name in (
        "out",
        "a/b",
        "$CI_JOB_STAGE-x",
        "${NAME}",
        "",
        ".",
        "..",
        "../../up",
        "ž 🐎",
        "a b",
        "$UNSET",
        'a"b',
        "x" * 200,
        "a/",
        "$(id)",
        "job;id",
        "%s",
    ):
        yield script(
            "artifact name %s" % name.replace("/", "\\")[:30],
            ["echo 1 > f"],
            OK,
            artifacts=[archive(["f"], name=name)],
            variables=[("NAME", "from-variable")],
        )
    for value in ("", "never", "1 week", "3 mins 4 sec", "nonsense", "$EXPIRE"):
        yield script(
            "expire_in %s" % (value or "(empty)"),
            ["echo 1 > f"],
            OK,
            artifacts=[archive(["f"], expire_in=value)],
            variables=[("EXPIRE", "2 days")],
        )
    for when in ("", "on_success", "on_failure", "always", "manual", None):
        yield script("when %s, success" % when, ["echo 1 > f"], OK, artifacts=[archive(["f"], when=when)])
        yield script(
            "when %s, failure" % when, ["echo 1 > f; exit 2"], failed(2), artifacts=[archive(["f"], when=when)]
        )
    yield git_case(
        "untracked",
        ["echo 1 > new; mkdir -p n; echo 2 > n/x; echo ig > ignored; echo ignored > .gitignore"],
        OK,
        artifacts=[archive([], untracked=True)],
    )
    yield git_case(
        "untracked with paths and exclude",
        ["echo 1 > new; mkdir -p n; echo 2 > n/x"],
        OK,
        artifacts=[archive(["README.md"], untracked=True, exclude=["n/*"])],
    )
    yield script(
        "untracked without git", ["echo 1 > new"], {}, artifacts=[archive([], untracked=True)], strategy="empty"
    )
    yield script("no paths", ["echo 1 > f"], OK, artifacts=[archive([])])
    yield script("null paths", ["echo 1 > f"], OK, artifacts=[archive(None)])
    yield script("null name", ["echo 1 > f"], OK, artifacts=[archive(["f"], name=None)])
    yield script(
        "two archives", ["echo 1 > a; echo 2 > b"], OK, artifacts=[archive(["a"]), archive(["b"], name="second")]
    )
    yield script(
        "file modes",
        ["echo 1 > f; chmod 4751 f; mkdir d; chmod 700 d; echo 2 > d/ro; chmod 400 d/ro"],
        OK,
        artifacts=[archive(["f", "d"])],
        strategy="empty",
    )
    yield script(
        "fifo and socket", ["mkdir d; mkfifo d/p; echo 1 > d/f"], OK, artifacts=[archive(["d"])], strategy="empty"
    )
    yield script(
        "unreadable directory",
        ["mkdir -p d/e; echo 1 > d/f; chmod 000 d/e"],
        {},
        artifacts=[archive(["d"])],
        strategy="empty",
    )
    yield script(
        "odd file names",
        ["mkdir d; touch 'd/a\\b' $'d/new\\nline' d/-x $'d/\\377bad' 'd/%41' \"d/q'\\\"\""],
        OK,
        artifacts=[archive(["d"])],
        strategy="empty",
        own=True,
    )
    yield script(
        "5000 files",
        ["mkdir d; for i in $(seq 5000); do echo $i > d/$i; done"],
        OK,
        artifacts=[archive(["d/"])],
        strategy="empty",
        after=lambda r, w: None if len(zip_names(r)) == 5001 else "not all",
    )
    yield script(
        "big file",
        ["head -c 30000000 /dev/urandom > big"],
        OK,
        artifacts=[archive(["big"])],
        strategy="empty",
        after=uploaded("big"),
    )
    for level in ("fastest", "fast", "slow", "slowest", "none", ""):
        yield script(
            "compression %s" % level,
            ["seq 1000 > f"],
            OK,
            artifacts=[archive(["f"])],
            variables=[("ARTIFACT_COMPRESSION_LEVEL", level)],
        )
    yield script(
        "artifact of a variable in GITLAB_ENV",
        ["echo F=from-env >> $GITLAB_ENV; echo 1 > from-env"],
        OK,
        artifacts=[archive(["$F"])],
        after=uploaded("from-env"),
    )
    yield script(
        "artifacts made by after_script",
        ["true"],
        OK,
        after_script=["echo 1 > late"],
        artifacts=[archive(["late"])],
        after=uploaded("late"),
    )
    yield script(
        "artifacts after a timeout",
        ["echo 1 > f; sleep 97401"],
        {"state": "failed", "reason": "job_execution_timeout"},
        artifacts=[archive(["f"], when="always")],
        variables=[("RUNNER_SCRIPT_TIMEOUT", "2s")],
        after=uploaded("f"),
    )
    yield script(
        "project directory is gone", ['cd /; rm -rf "$CI_PROJECT_DIR"'], {}, artifacts=[archive(["f"], when="always")]
    )
    yield script(
        "metadata",
        ["echo 1 > f"],
        OK,
        artifacts=[archive(["f"])],
        variables=[("RUNNER_GENERATE_ARTIFACTS_METADATA", "true")],
        own=True,
    )


def report(kind, format_, paths, name="report.x", **more):
    return {
        "name": name,
        "untracked": False,
        "paths": paths,
        "when": "always",
        "artifact_type": kind,
        "artifact_format": format_,
        "expire_in": "1 week",
        **more,
    }


def unzipped(text):
    return lambda r, w: None if gzip.decompress(r.uploads[-1]["content"]).decode() == text else "wrong content"


def reports():
    yield script(
        "gzip of one",
        ["echo one > a.xml"],
        OK,
        artifacts=[report("junit", "gzip", ["a.xml"], "junit.xml")],
        after=unzipped("one\n"),
    )
    yield script(
        "gzip of two",
        ["echo one > a.xml; echo two > b.xml"],
        OK,
        artifacts=[report("junit", "gzip", ["*.xml"], "junit.xml")],
        after=unzipped("one\ntwo\n"),
    )
    yield script(
        "gzip of a directory",
        ["mkdir d; echo one > d/a"],
        {},
        artifacts=[report("junit", "gzip", ["d"])],
        strategy="empty",
    )
    yield script(
        "gzip of files in a directory",
        ["mkdir d; echo one > d/a; echo two > d/b"],
        OK,
        artifacts=[report("junit", "gzip", ["d/*"])],
        strategy="empty",
    )
    yield script(
        "gzip of a link", ["echo one > a; ln -s a b"], {}, artifacts=[report("junit", "gzip", ["b"])], strategy="empty"
    )
    yield script("gzip of nothing", ["true"], OK, artifacts=[report("junit", "gzip", ["*.xml"])], strategy="empty")
    yield script(
        "gzip of an empty file",
        ["touch a"],
        OK,
        artifacts=[report("dotenv", "gzip", ["a"], ".env")],
        strategy="empty",
        after=unzipped(""),
    )
    yield script(
        "raw of one", ["echo one > a.json"], OK, artifacts=[report("sast", "raw", ["a.json"], "gl-sast-report.json")]
    )
    yield script(
        "raw of two",
        ["echo one > a; echo two > b"],
        {"state": "failed"},
        artifacts=[report("sast", "raw", ["a", "b"])],
        strategy="empty",
    )
    yield script(
        "raw of a directory",
        ["mkdir d; echo one > d/a"],
        {},
        artifacts=[report("sast", "raw", ["d"])],
        strategy="empty",
    )
    yield script(
        "raw of a link", ["echo one > a; ln -s a b"], {}, artifacts=[report("sast", "raw", ["b"])], strategy="empty"
    )
    yield script("raw of nothing", ["true"], OK, artifacts=[report("sast", "raw", ["x"])], strategy="empty")
    yield script("raw of an empty file", ["touch a"], OK, artifacts=[report("sast", "raw", ["a"])], strategy="empty")
    yield script(
        "unknown format", ["echo 1 > a"], {}, artifacts=[report("sast", "rar", ["a"])], strategy="empty", own=True
    )
    yield script(
        "zipzstd", ["echo 1 > a"], {}, artifacts=[report("archive", "zipzstd", ["a"])], strategy="empty", own=True
    )
    yield script(
        "tarzstd", ["echo 1 > a"], {}, artifacts=[report("archive", "tarzstd", ["a"])], strategy="empty", own=True
    )
    yield script("empty format", ["echo 1 > a"], OK, artifacts=[report("archive", "", ["a"])], strategy="empty")
    yield script("unknown type", ["echo 1 > a"], OK, artifacts=[report("brand_new", "gzip", ["a"])], strategy="empty")
    kinds = [
        ("junit", "gzip"),
        ("dotenv", "gzip"),
        ("sast", "raw"),
        ("codequality", "raw"),
        ("terraform", "raw"),
        ("metrics", "gzip"),
        ("lsif", "zip"),
        ("cyclonedx", "gzip"),
        ("coverage_report", "gzip"),
    ]
    yield script(
        "many reports",
        ["for i in $(seq 0 8); do echo $i > r$i; done"],
        OK,
        artifacts=[archive(["r*"])] + [report(k, f, ["r%d" % i]) for i, (k, f) in enumerate(kinds)],
        strategy="empty",
    )
    yield script(
        "many reports, some missing, of a failed job",
        ["echo 1 > r0; exit 4"],
        failed(4),
        artifacts=[archive(["r*"])] + [report(k, f, ["r%d" % i]) for i, (k, f) in enumerate(kinds[:3])],
        strategy="empty",
    )


def uploads():
    one = {"artifacts": [archive(["a"])]}
    for code in (400, 401, 403, 404, 409, 413, 422, 500, 503):
        yield script(
            "upload always %d" % code,
            ["echo 1 > a"],
            {"state": "failed"},
            upload=lambda job, n, code=code: code,
            limit=90,
            own=True,
            **one
        )
    yield script("upload reset", ["echo 1 > a"], {"state": "failed"}, upload=lambda job, n: 0, own=True, **one)
    yield script("upload reset once", ["echo 1 > a"], OK, upload=lambda job, n: 0 if n < 1 else None, **one)
    yield script(
        "upload 429 once",
        ["echo 1 > a"],
        OK,
        upload=lambda job, n: (429, {"Retry-After": "1"}) if n < 1 else None,
        **one
    )
    yield script("upload 502 once", ["echo 1 > a"], OK, upload=lambda job, n: 502 if n < 1 else None, **one)
    yield script("upload 307", ["echo 1 > a"], {}, upload=lambda job, n: 307 if n < 1 else None, **one)
    yield script("upload says 200", ["echo 1 > a"], {}, upload=lambda job, n: 200, own=True, **one)
    yield script(
        "upload of a failed job fails",
        ["echo 1 > a; exit 9"],
        failed(9),
        upload=lambda job, n: 403,
        artifacts=[archive(["a"], when="always")],
    )
    yield script(
        "first upload fails",
        ["echo 1 > a"],
        {"state": "failed"},
        upload=lambda job, n: 403 if n < 1 else None,
        artifacts=[archive(["a"]), report("junit", "gzip", ["a"])],
    )


def zipped(names):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in names.items():
            if isinstance(content, tuple):
                entry = zipfile.ZipInfo(name)
                entry.external_attr = content[0] << 16
                file.writestr(entry, content[1])
            else:
                file.writestr(name, content)
    return data.getvalue()


def dependencies(name, stored, lines, expect, **more):
    """`stored` are (artifact bytes or None, statuses to answer first)."""
    keep = {k: more.pop(k) for k in ("own", "limit", "after") if k in more}

    def make(world):
        body = payload(lines, **more)
        body["dependencies"] = []
        for i, (content, statuses) in enumerate(stored):
            source = body["id"] + 500000 + i * 10000
            if content is not None:
                world.server.stored[source] = content
            world.server.download_statuses[source] = list(statuses)
            if content is None and statuses:
                world.server.stored[source] = b""
            body["dependencies"].append(
                {
                    "id": source,
                    "name": "job %d" % i,
                    "token": "glcbt-64_dependency0123456789",
                    "artifacts_file": {"filename": "artifacts.zip", "size": len(content or b"")},
                }
            )
        return body

    return Case(name, make, expect, **keep)


def downloads():
    good = zipped({"out/x": "from-a\n"})
    yield dependencies(
        "three dependencies",
        [(good, []), (zipped({"out/y": "from-b\n"}), []), (zipped({"out/x": "from-c\n"}), [])],
        ["cat out/x out/y"],
        {**OK, "has": ["from-c\nfrom-b"]},
    )
    yield dependencies(
        "second of three fails", [(good, []), (None, [404]), (good, [])], ["cat out/x"], {"state": "failed"}
    )
    for code in (400, 401, 403, 404, 500, 503):
        yield dependencies(
            "download always %d" % code, [(good, [code] * 30)], ["cat out/x"], {"state": "failed"}, own=True, limit=90
        )
    yield dependencies("download 500 once", [(good, [500])], ["cat out/x"], OK)
    yield dependencies("download 429 once", [(good, [(429, {"Retry-After": "1"})])], ["cat out/x"], OK)
    yield dependencies("download reset once", [(good, [0])], ["cat out/x"], OK)
    yield dependencies("download reset always", [(good, [0] * 30)], ["cat out/x"], {"state": "failed"}, own=True)
    yield dependencies(
        "download redirect to nowhere",
        [(good, [(302, {"Location": "http://127.0.0.1:1/x"})] * 10)],
        ["cat out/x"],
        {"state": "failed"},
        own=True,
    )
    yield dependencies(
        "download retried by the stage",
        [(good, [403])],
        ["cat out/x"],
        {**OK, "has": ["from-a"]},
        variables=[("ARTIFACT_DOWNLOAD_ATTEMPTS", "2"), ("FF_USE_EXPONENTIAL_BACKOFF_STAGE_RETRY", "false")],
    )
    yield dependencies(
        "download of junk", [(b"this is no zip at all", [])], ["cat out/x"], {"state": "failed"}, own=True
    )
    yield dependencies("download of nothing", [(b"", [])], ["cat out/x"], {"state": "failed"}, own=True)
    yield dependencies("download of a cut zip", [(good[:-30], [])], ["cat out/x"], {"state": "failed"}, own=True)
    yield dependencies(
        "download of a flipped zip",
        [(good[:40] + bytes([good[40] ^ 255]) + good[41:], [])],
        ["cat out/x"],
        {"state": "failed"},
        own=True,
    )
    yield dependencies(
        "download of an empty zip", [(zipped({}), [])], ["ls out || echo no-out"], {**OK, "has": ["no-out"]}
    )
    yield dependencies(
        "modes",
        [(zipped({"run": (0o100755, "#!/bin/sh\necho ran\n"), "d/": (0o040700, ""), "d/ro": (0o100400, "x\n")}), [])],
        ["./run; ls -ld d d/ro | cut -c 1-10"],
        {**OK, "has": ["ran"]},
    )
    yield dependencies(
        "links",
        [(zipped({"f": "content-f\n", "l": (0o120777, "f"), "out": (0o120777, "/etc")}), [])],
        ["cat l; readlink out || true"],
        {},
        own=True,
    )
    yield dependencies(
        "write through a link",
        [(zipped({"out": (0o120777, "/tmp"), "out/fr-evil-x": "evil"}), [])],
        ["ls /tmp/fr-evil-x 2>/dev/null || echo none-there"],
        {"lacks": ["fr-evil-x\n"]},
        own=True,
    )
    yield dependencies(
        "absolute entry",
        [(zipped({"/tmp/fr-evil-y": "evil"}), [])],
        ["ls /tmp/fr-evil-y 2>/dev/null || echo none-there"],
        {"lacks": ["fr-evil-y\n"]},
        own=True,
    )
    yield dependencies("entry in .git", [(zipped({".git/hooks/post-checkout": "evil"}), [])], ["ls -A"], {}, own=True)
    yield dependencies("unicode entries", [(zipped({"ž/🐎": "horse\n"}), [])], ["cat ž/🐎"], {**OK, "has": ["horse"]})
    yield dependencies(
        "file over a directory",
        [(zipped({"README.md": "new\n"}), [])],
        ["cat README.md"],
        {},
        own=True,
        strategy="empty",
    )
    yield dependencies(
        "overwrites", [(zipped({"a": "one\n"}), []), (zipped({"a": "two\n"}), [])], ["cat a"], {**OK, "has": ["two"]}
    )
    yield script(
        "dependency without a file",
        ["echo x"],
        {**OK, "lacks": ["Downloading"]},
        dependencies=[{"id": 1, "name": "a", "token": "t", "artifacts_file": {"filename": "", "size": 0}}],
    )
    yield script(
        "dependency with null",
        ["echo x"],
        {**OK, "lacks": ["Downloading"]},
        dependencies=[{"id": 1, "name": "a", "token": "t", "artifacts_file": None}],
    )
    yield script(
        "dependency of an odd name",
        ["echo x"],
        {"state": "failed"},
        dependencies=[
            {"id": 999998, "name": "a'b\"$(id)`id` ž", "token": "t", "artifacts_file": {"filename": "a.zip", "size": 1}}
        ],
    )


def cache(key="k", paths=("c/",), **more):
    return {
        "key": key,
        "untracked": False,
        "policy": "pull-push",
        "paths": list(paths),
        "when": "on_success",
        "fallback_keys": [],
        **more,
    }


FILL = ["mkdir -p c; echo cached > c/f"]
_projects = iter(range(910000, 920000))


def chain(
    name,
    first,
    second,
    expect,
    first_lines=FILL,
    second_lines=("cat c/f || echo no-cache",),
    variables=(),
    own=False,
    between=None,
    strategy="empty",
):
    def make(world):
        number = next(_projects)
        jobs = [
            payload(list(first_lines), project=number, cache=first, strategy=strategy, variables=variables),
            payload(list(second_lines), project=number, cache=second, strategy=strategy, variables=variables),
        ]
        if between:
            between(world, number)
        return jobs

    return Case(name, make, expect, own=own)


def caches():
    for key in (
        "a/b/c",
        "a%2Fb",
        "a%2fb",
        "../up",
        "..",
        ".",
        "a/../b",
        "a b",
        "ž🐎",
        "$KEY",
        "${KEY}-x",
        "$UNSET",
        "",
        "/abs",
        "a\\b",
        "a//b",
        "%2E%2E",
        "a/",
        "x" * 300,
        "$(id)",
        "a'b\"c",
        "k ",
        " k",
        "a:b*c?",
        "a.",
        "%zz",
        "a%00b",
    ):
        yield chain(
            "key %s" % (key.replace("/", "\\")[:30] or "(empty)"),
            [cache(key)],
            [cache(key)],
            {"state": "success"} if len(key) < 200 else {},
            variables=[("KEY", "from-variable")],
        )
        if len(key) < 100:
            yield script(
                "hashed key %s" % (key.replace("/", "\\") or "(empty)"),
                FILL,
                {},
                cache=[cache(key)],
                variables=[("FF_HASH_CACHE_KEYS", "true"), ("KEY", "v")],
                own=True,
            )
    for policy in ("pull", "push", "pull-push", "", "$POLICY", "PULL", "none", None):
        yield chain("policy %s" % policy, [cache()], [cache(policy=policy)], {}, variables=[("POLICY", "pull")])
    for when in ("on_success", "on_failure", "always", "", "sometimes", None):
        for line in ("true", "exit 3"):
            yield script("cache when %s, %s" % (when, line), FILL + [line], {}, cache=[cache(when=when)])
    yield chain(
        "fallback keys",
        [cache("second")],
        [cache("none", fallback_keys=["first", "second", "third"])],
        {**OK, "has": ["\ncached"]},
    )
    yield chain(
        "fallback keys with variables",
        [cache("second")],
        [cache("none", fallback_keys=["$UNSET", "", "$KEY"])],
        OK,
        variables=[("KEY", "second")],
    )
    yield chain(
        "CACHE_FALLBACK_KEY",
        [cache("last")],
        [cache("none", fallback_keys=["first"])],
        {**OK, "has": ["\ncached"]},
        variables=[("CACHE_FALLBACK_KEY", "last")],
    )
    yield chain(
        "CACHE_FALLBACK_KEY protected",
        [cache("x-protected")],
        [cache("none")],
        OK,
        variables=[("CACHE_FALLBACK_KEY", "x-protected")],
    )
    yield chain(
        "CACHE_FALLBACK_KEY protected, hidden",
        [cache("x")],
        [cache("none")],
        OK,
        variables=[("CACHE_FALLBACK_KEY", "x-protected . ")],
    )
    yield chain(
        "several caches",
        [cache("one", ["c/"]), cache("two", ["d/"])],
        [cache("one", ["c/"]), cache("two", ["d/"])],
        {**OK, "has": ["in-d"]},
        first_lines=FILL + ["mkdir d; echo in-d > d/f"],
        second_lines=["cat c/f d/f"],
    )
    yield chain("unchanged cache", [cache()], [cache()], {"state": "success"}, second_lines=["true"])
    yield chain(
        "changed cache", [cache()], [cache()], {"state": "success"}, second_lines=["sleep 1.1; echo more > c/g"]
    )
    yield chain("paths change", [cache(paths=["c/"])], [cache(paths=["d/"])], OK)
    yield git_case(
        "cache of untracked",
        ["mkdir -p n; echo u > n/x; ls n"],
        OK,
        jobs=[{}, {"lines": ["cat n/x"]}],
        cache=[cache("u", [], untracked=True)],
    )
    yield git_case(
        "cache of untracked and paths",
        ["mkdir -p n; echo u > n/x"],
        OK,
        jobs=[{}, {"lines": ["cat n/x"]}],
        cache=[cache("u", ["README.md"], untracked=True)],
    )
    yield script("cache without paths", ["true"], {**OK, "lacks": ["cache"]}, cache=[cache("k", [])])
    yield script("cache of nothing", ["true"], OK, cache=[cache("k", ["not-there/"])])
    yield script("cache outside", ["true"], OK, cache=[cache("k", ["/etc/passwd", "../x"])])
    yield chain(
        "cache of links and modes",
        [cache()],
        [cache()],
        {**OK, "has": ["ran"]},
        first_lines=[
            "mkdir -p c/d; printf '#!/bin/sh\\necho ran\\n' > c/run; chmod 755 c/run; ln -s run c/l; chmod 500 c/d"
        ],
        second_lines=["c/l; ls -ld c/d | cut -c 1-10; chmod 700 c/d"],
    )
    yield chain(
        "cache with variables in paths",
        [cache(paths=["$DIR/"])],
        [cache(paths=["$DIR/"])],
        {**OK, "has": ["\ncached"]},
        variables=[("DIR", "c")],
    )
    yield script(
        "cache whose making fails", ["mkdir c; echo 1 > c/f; chmod 000 c/f"], {"state": "success"}, cache=[cache()]
    )
    yield script(
        "null cache fields",
        ["true"],
        {},
        cache=[{"key": None, "paths": ["c/"], "policy": None, "when": None, "untracked": None, "fallback_keys": None}],
    )
    yield script("artifacts and cache of one directory", FILL, OK, cache=[cache()], artifacts=[archive(["c/"])])
    yield script(
        "CACHE_COMPRESSION_FORMAT",
        FILL,
        OK,
        cache=[cache()],
        variables=[("CACHE_COMPRESSION_FORMAT", "tarzstd")],
        own=True,
    )

    def spoil(content=None, mode=None, directory=False):
        def between(world, number):
            path = os.path.join(world.work, "cache", "group", "project-%d" % number, "k")
            os.makedirs(path)
            target = os.path.join(path, "cache.zip")
            if directory:
                os.makedirs(target)
                return
            with open(target, "wb") as file:
                file.write(content)
            if mode is not None:
                os.chmod(target, mode)

        return between

    def spoiled(name, expect, own=False, **how):
        def make(world):
            number = next(_projects)
            spoil(**how)(world, number)
            return payload(
                ["cat c/f || echo no-cache; mkdir -p c; echo new > c/g"],
                project=number,
                cache=[cache()],
                strategy="empty",
            )

        return Case(name, make, expect, own=own)

    yield spoiled("corrupt cache", OK, content=b"junk", own=True)
    yield spoiled("empty cache file", OK, content=b"", own=True)
    yield spoiled("cut cache", OK, content=zipped({"c/f": "x" * 1000})[:-40], own=True)
    yield spoiled("cache file is a directory", OK, directory=True, own=True)
    yield spoiled("cache with an evil entry", OK, content=zipped({"../../evil-cache": "x", "c/f": "fine\n"}), own=True)


def all_cases():
    for group in (patterns, reports, uploads, downloads, caches):
        yield from group()
