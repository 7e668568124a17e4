#!/usr/bin/env python3
"""Proves that a module includes only itself and modules in rows above it (docs/architecture.md, "Layers")."""
import pathlib
import re
import sys

ROWS = [
    ["base"],
    ["json", "toml", "yaml"],
    ["sys"],
    ["database"],
    ["net"],
    ["gitlab"],
    ["trace"],
    ["script"],
    ["config"],
    ["ci"],
    ["archive"],
    ["storage"],
    ["transfer"],
    ["executor"],
    ["job"],
    ["manager", "coordinator"],
    ["local"],
    ["cli"],
]
RANK = {module: rank for rank, row in enumerate(ROWS) for module in row}
# Modules whose sources must not do I/O: nothing from the I/O modules may be included there.
PURE = {"base", "json", "toml", "yaml", "script", "ci"}
IO = {"sys", "database", "net"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([a-z_]+)/')
# Libraries that stay in .cpp files of their home module.
FIREWALL = {
    "boost/": {"net", "manager", "coordinator"},
    "curl/": {"net"},
    "sqlite3.h": {"database"},
    "nlohmann/": {"json"},
    "toml++/": {"toml"},
    "CLI/": {"cli"},
    "yaml.h": {"yaml"},
    "re2/": {"ci"},
}


def main() -> int:
    source = pathlib.Path(__file__).resolve().parent.parent / "src"
    problems = []
    private = {}  # headers that show a library: for their own module only
    for path in sorted(source.rglob("*.hpp")):
        for library in FIREWALL:
            if re.search(rf"^\s*#\s*include\s+<{re.escape(library)}", path.read_text(), re.M):
                private[str(path.relative_to(source))] = library
    for path in sorted(source.rglob("*.[ch]pp")):
        module = path.relative_to(source).parts[0]
        if module not in RANK:
            problems.append(f"{path}: module {module} has no row in tools/check_layers.py")
            continue
        lines = path.read_text().splitlines()
        if len(lines) > 800:
            problems.append(f"{path}: {len(lines)} lines, the cap is 800")
        for number, line in enumerate(lines, 1):
            match = INCLUDE.match(line)
            if match and match[1] in RANK:
                other = match[1]
                if other != module and RANK[other] >= RANK[module]:
                    problems.append(f"{path}:{number}: {module} may not use {other}")
                if module in PURE and other in IO and not path.name.endswith("_test.cpp"):
                    problems.append(f"{path}:{number}: {module} does no I/O, it may not use {other}")
            inner = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if inner and inner[1] in private and not inner[1].startswith(module + "/"):
                problems.append(f"{path}:{number}: {inner[1]} shows <{private[inner[1]]}…>, it is private to its module")
            for library, homes in FIREWALL.items():
                if re.match(rf"\s*#\s*include\s+<{re.escape(library)}", line):
                    if module not in homes:
                        problems.append(f"{path}:{number}: <{library}…> belongs to {', '.join(sorted(homes))}")
    print("\n".join(problems) if problems else "layers hold")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
