#!/bin/bash
# Writes compile_commands.json for editors and clang-tidy.
#
#   compile-commands.sh [TARGET_PATTERN]      default //...
#
# Generated headers are found in bazel-out: build once before.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/.."

actions=$(mktemp)
trap 'rm -f "$actions"' EXIT
"$here/build.sh" aquery --noshow_progress --keep_going --output=jsonproto \
  "mnemonic(\"CppCompile\", ${1:-//...})" >"$actions"
python3 - "$actions" <<'PYTHON'
import json, os, sys

# Flags of GCC that clang's tools stop at; warnings there are clang-tidy's matter.
UNKNOWN = {"-fno-canonical-system-headers", "-Wno-free-nonheap-object", "-Werror"}

commands = {}
with open(sys.argv[1], encoding="utf-8") as file:
    actions = json.load(file).get("actions", [])
for action in actions:
    arguments = [a for a in action["arguments"] if a not in UNKNOWN]
    if "-c" not in arguments:
        continue
    source = arguments[arguments.index("-c") + 1]
    commands.setdefault(source, {
        "directory": os.getcwd(),
        "file": source,
        "arguments": arguments,
    })
temporary = "compile_commands.json.tmp"
with open(temporary, "w", encoding="utf-8") as file:
    json.dump([commands[source] for source in sorted(commands)], file, indent=1)
os.replace(temporary, "compile_commands.json")
print(f"compile_commands.json: {len(commands)} files")
PYTHON
