#!/usr/bin/python3 -B
"""What was found in the program, and the tests that keep it mended.

    findings.py BUILD [ID...]             runs the test of each finding: a table, and the totals
    findings.py BUILD --recorded DIR      the same from what `make check` has recorded in DIR; nothing runs twice
    findings.py BUILD --break [ID...]     brings each fault back in a copy of the tree: its test must fail by its own words

A finding is a file beside this one, ID.patch or ID-WORD.patch: four lines of header (Finding, Test, Fails with, Fault)
and the patch that brings the fault back.  One without a patch is a claim of a document, and its test reads that.
"""

import argparse
import concurrent.futures
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PASSED, FAILED, SKIPPED, MISSING = "passed", "FAILED", "skipped", "MISSING"
LIMIT_S = 600

# Each of these needs a test; M4 and P10 are claims of documents.
REQUIRED = (
    *(f"R{n}" for n in range(1, 12)), *(f"P{n}" for n in range(1, 11)), *(f"T{n}" for n in range(1, 5)),
    *(f"M{n}" for n in range(1, 9)), *(f"N{n}" for n in (1, 2, 3, 6, 7, 9, 10, 11, 12)))
OF_DOCUMENTS = ("M4", "P10")


@dataclass
class Finding:
    """One file: what was found, the test of it, and how that test fails when the fault is back."""

    path: Path
    id: str
    test: str
    fails_with: str
    fault: str
    is_patch: bool

    @property
    def is_unit(self):
        """Whether its test is a cmocka test."""
        return self.test.startswith("tests/unit/")

    @property
    def program(self):
        """Of a unit test: the name of its program."""
        return Path(self.test.split("::")[0]).stem

    @property
    def key(self):
        """As results are recorded: the file's stem and the test's name."""
        file, name = self.test.split("::", 1)
        plain, bracket, parameters = name.partition("[")
        return Path(file).stem, plain.replace("::", ".") + bracket + parameters


def read_finding(path):
    """A finding from its file; a header that lacks something is an error of the table."""
    text = path.read_text()
    header, diff, _ = text.partition("\ndiff --git ")
    fields = dict(re.findall(r"^(Finding|Test|Fails with|Fault): (.+)$", header, re.MULTILINE))
    finding = Finding(path, fields["Finding"], fields["Test"], fields.get("Fails with", ""), fields["Fault"], bool(diff))
    if finding.is_patch != bool(finding.fails_with):
        raise ValueError("a patch and 'Fails with' go together")
    if not finding.is_patch and finding.id not in OF_DOCUMENTS and "::" not in finding.test:
        raise ValueError("it needs a patch")
    return finding


def read_table(wanted):
    """All findings, or the wanted ones; complaints about the table itself."""
    findings, complaints = [], []
    for path in sorted(HERE.glob("*.patch"), key=lambda p: [int(w) if w.isdigit() else w for w in re.split(r"(\d+)", p.stem)]):
        try:
            findings.append(read_finding(path))
        except (KeyError, ValueError) as error:
            complaints.append(f"{path.name}: {error}")
    if wanted:
        return [f for f in findings if f.id in wanted or f.path.stem in wanted], complaints
    have = {f.id for f in findings}
    complaints += [f"{id}: no test" for id in REQUIRED if id not in have]
    complaints += [f"{id}: no patch" for id in REQUIRED
                   if id in have and id not in OF_DOCUMENTS and not any(f.id == id and f.is_patch for f in findings)]
    return findings, complaints


# ---- results ----


def worse(one, other):
    """Of two results of one test the one that counts: a failure, then what ran."""
    order = (FAILED, PASSED, SKIPPED, MISSING)
    return min(one, other, key=order.index)


def unit_results(text):
    """The results in the output of `make unit`: a program's name and a colon, then what cmocka says."""
    program, results = "", {}
    for line in text.splitlines():
        if match := re.fullmatch(r"(test_\w+):", line):
            program = match[1]
        elif match := re.fullmatch(r"\[ *(OK|FAILED|SKIPPED) *\] (\w+)", line):
            result = {"OK": PASSED, "FAILED": FAILED, "SKIPPED": SKIPPED}[match[1]]
            results[program, match[2]] = worse(results.get((program, match[2]), MISSING), result)
    return results


def pytest_results(path):
    """The results in a JUnit file of pytest."""
    results = {}
    for case in xml.parse(path).iter("testcase"):
        module, _, inner = case.get("classname").partition("test_")
        stem, _, inner = inner.partition(".")
        name = f"{inner}.{case.get('name')}" if inner else case.get("name")
        bad = case.find("failure") is not None or case.find("error") is not None
        result = FAILED if bad else SKIPPED if case.find("skipped") is not None else PASSED
        results[f"test_{stem}", name] = worse(results.get((f"test_{stem}", name), MISSING), result)
    return results


def recorded(directory):
    """All results that the stages of `make check` have left in a directory."""
    results = {}
    sources = [pytest_results(path) for path in directory.glob("*.xml")]
    sources += [unit_results(path.read_text(errors="replace")) for path in directory.glob("unit-tests*")]
    for source in sources:
        for key, result in source.items():
            results[key] = worse(results.get(key, MISSING), result)
    return results


def result_of(finding, results):
    """A test with parameters counts as one: all of them have to pass."""
    stem, name = finding.key
    mine = [result for (s, n), result in results.items() if s == stem and (n == name or n.startswith(f"{name}["))]
    if not mine:
        return MISSING
    worst = mine[0]
    for result in mine[1:]:
        worst = worse(worst, result)
    return worst


# ---- running ----


def run(command, tree, **environment):
    """Runs a command in a tree; its exit status and all it said."""
    done = subprocess.run(command, cwd=tree, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, text=True,
                          errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False)
    return done.returncode, done.stdout


def run_pytest(tree, build, nodes, *options):
    """Runs pytest over node ids."""
    return run([sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *nodes], tree,
               P11VAULT_BUILD=str(tree / build))


def run_all(findings, build):
    """Runs the tests of all findings: their results."""
    results = {}
    for program in sorted({f.program for f in findings if f.is_unit}):
        results |= unit_results(f"{program}:\n" + run([str(ROOT / build / "unit" / program)], ROOT)[1])
    by_directory = {}
    for finding in findings:
        if not finding.is_unit:
            by_directory.setdefault(Path(finding.test).parts[1], set()).add(finding.test)
    for nodes in by_directory.values():
        with tempfile.NamedTemporaryFile(suffix=".xml") as record:
            run_pytest(ROOT, build, sorted(nodes), "-n", str(2 * os.cpu_count()), f"--junitxml={record.name}")
            results |= pytest_results(record.name)
    return results


# ---- bringing a fault back ----


def copy_tree(build, directory):
    """A copy of the tree with what is built, to be patched and built again."""
    shutil.copytree(ROOT, directory, symlinks=True, ignore=lambda at, names: [
        name for name in names if (at == str(ROOT) and name in (".git", "build")) or name == "__pycache__"])
    subprocess.run(["cp", "-a", "--parents", str(build), str(directory)], cwd=ROOT, check=True)
    return directory


def patch(tree, finding, *options):
    """Applies a finding's patch; whether it fits, and what was said."""
    status, said = run(["patch", "-p1", "--batch", "--no-backup-if-mismatch", *options, "-i", str(finding.path)], tree)
    return status == 0, said


def break_one(tree, build, finding):
    """Brings one fault back; '' when its test fails by its own words, else what is wrong."""
    fits, said = patch(tree, finding)
    if not fits:
        return f"the patch does not fit:\n{said}"
    try:
        target = [f"{build}/unit/{finding.program}"] if finding.is_unit else ["tools"]
        status, said = run(["make", "WERROR=1", *target], tree)
        if status != 0:
            return f"it does not build:\n{said}"
        if finding.is_unit:
            _, said = run([str(tree / build / "unit" / finding.program)], tree)
            failed = unit_results(f"{finding.program}:\n{said}").get(finding.key) == FAILED
        else:
            status, said = run_pytest(tree, build, [finding.test], "-x")
            failed = status == 1
        if not failed:
            return f"its test does not notice:\n{said}"
        if not re.search(finding.fails_with, said):
            return f"its test fails by other words than '{finding.fails_with}':\n{said}"
        return ""
    finally:
        patch(tree, finding, "--reverse")


def break_all(findings, build):
    """Brings every fault back, in one copy of the tree for each processor: what is wrong, by finding."""
    logs = ROOT / "build/findings"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    trees = queue.Queue()
    with tempfile.TemporaryDirectory(prefix="p11f-") as directory:
        for n in range(os.cpu_count()):
            trees.put(copy_tree(build, Path(directory) / str(n)))

        def one(finding):
            tree = trees.get()
            try:
                wrong = break_one(tree, build, finding)
            except subprocess.TimeoutExpired as error:
                wrong = f"it takes too long: {error}"
            finally:
                trees.put(tree)
            (logs / finding.path.stem).write_text(wrong)
            print(f"{finding.path.stem:20} {'noticed' if not wrong else wrong.splitlines()[0]}", flush=True)
            return wrong

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as workers:
            return dict(zip([f.path.stem for f in findings], workers.map(one, findings)))


def main():
    """The table, or the faults one by one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--recorded", type=Path)
    parser.add_argument("--break", action="store_true", dest="breaks")
    arguments = parser.parse_args()
    build = Path(arguments.build)
    findings, complaints = read_table(arguments.ids)

    if arguments.breaks:
        findings = [f for f in findings if f.is_patch]
        wrong = break_all(findings, build)
        bad = [id for id, text in wrong.items() if text]
        print(f"{len(wrong) - len(bad)} passed, {len(bad)} failed")
        return 1 if bad else 0

    results = recorded(arguments.recorded) if arguments.recorded else run_all(findings, build)
    failures = list(complaints)
    for finding in findings:
        result = result_of(finding, results)
        print(f"{finding.path.stem:20} | {finding.test:100} | {result}")
        if result in (FAILED, MISSING):
            failures.append(f"{finding.path.stem}: its test is {result}")
        fits, said = patch(ROOT, finding, "--dry-run") if finding.is_patch else (True, "")
        if not fits:
            failures.append(f"{finding.path.stem}: its patch does not fit: {said.strip().splitlines()[-1]}")
    for failure in failures:
        print(f"FAILED: {failure}")
    skipped = [f.path.stem for f in findings if result_of(f, results) == SKIPPED]
    if skipped:
        print(f"SKIP: findings whose tests do not run on this machine: {', '.join(skipped)}")
    if not failures:
        print(f"ok: each of {len(findings) - len(skipped)} findings has a test that passes, and a patch that fits")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
