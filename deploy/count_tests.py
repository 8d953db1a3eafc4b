"""Counts test cases of Bazel runs from their build event files.

count_tests.py EVENTS.json... prints what was skipped and what failed, a line each, then "N passed,
N failed" (and ", N skipped" if any were). Exit status 1 if something failed or nothing ran.
"""

import json
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree


def read_events(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def last_results(events):
    """The final attempt of each (label, run, shard)."""
    results = {}
    for event in events:
        identity = event.get("id", {}).get("testResult")
        if identity:
            key = (identity["label"], identity.get("run", 1), identity.get("shard", 1))
            attempt = identity.get("attempt", 1)
            if key not in results or attempt >= results[key][0]:
                results[key] = (attempt, event.get("testResult", {}))
    return {key: result for key, (_, result) in results.items()}


def cases(result):
    """Yields (name, outcome) of a test's report."""
    for output in result.get("testActionOutput", []):
        if output.get("name") == "test.xml":
            path = urllib.parse.unquote(urllib.parse.urlparse(output["uri"]).path)
            try:
                root = ElementTree.parse(path).getroot()
            except (OSError, ElementTree.ParseError):
                return
            # A shell test has one case, for which Bazel writes the report; what it printed says more.
            said = root.findtext(".//system-out") or ""
            for case in root.iter("testcase"):
                name = f"{case.get('classname', '')}.{case.get('name', '')}".strip(".")
                if case.find("failure") is not None or case.find("error") is not None:
                    yield name, "failed"
                elif (case.find("skipped") is not None or case.get("status") == "notrun"
                      or case.get("result") == "skipped"
                      or any(line.startswith("skipped: ") for line in said.splitlines())):
                    yield name, "skipped"
                else:
                    yield name, "passed"


def main(paths):
    passed, skipped, failures = 0, [], []
    for path in paths:
        before = len(failures)
        try:
            events = list(read_events(path))
        except (OSError, ValueError) as error:
            failures.append(f"{path}: {error}")
            continue
        results = last_results(events)
        for (label, _, _), result in sorted(results.items()):
            outcomes = list(cases(result))
            failed = [f"{label}: {name}" for name, outcome in outcomes if outcome == "failed"]
            counts = [outcome for _, outcome in outcomes]
            passed += counts.count("passed")
            skipped += [f"{label}: {name}" for name, outcome in outcomes if outcome == "skipped"]
            if result.get("status") != "PASSED":
                # A crash or a timeout leaves no failed case behind, or no report at all.
                failed = failed or [f"{label}: {result.get('status', 'no result')}"]
            elif not outcomes:
                passed += 1
            failures += failed
        tested = {label for label, _, _ in results}
        for event in events:
            identity = event.get("id", {})
            if "targetCompleted" in identity and not event.get("completed", {}).get("success"):
                label = identity["targetCompleted"]["label"]
                if label not in tested:
                    failures.append(f"{label}: does not build")
        # What went wrong before any target was reached, or an ending without a word.
        finished = [e["finished"]["exitCode"] for e in events if "finished" in e]
        if not finished:
            failures.append(f"{path}: bazel did not come to an end")
        elif finished[0]["name"] not in ("SUCCESS", "NO_TESTS_FOUND") and len(failures) == before:
            failures.append(f"bazel: {finished[0]['name']}")
    for name in skipped:
        print(f"skipped {name}")
    for failure in failures:
        print(f"FAILED {failure}")
    print(f"{passed} passed, {len(failures)} failed"
          + (f", {len(skipped)} skipped" if skipped else ""))
    return 1 if failures or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
