# SPDX-License-Identifier: Apache-2.0
"""The part of docs/conformance.md that matrix.py writes: the table of clauses and cases, the
matrix of released versions, and what was exchanged where a case did not pass."""

import json
import re

import matrix
import node

BEGIN, END = "<!-- matrix begins -->", "<!-- matrix ends -->"
CASES_BEGIN, CASES_END = "<!-- cases begin -->", "<!-- cases end -->"
SHOWN = 40  # bytes of a frame
LETTERS = {"pass": "+", "fail": "**F**", "deviation": "d", "skip": ".", "crash": "**C**"}


def documents(dials):
    """Name -> cases by id, quick and slow ones together."""
    found = {}
    for name in matrix.ALL:
        if name.endswith(":dials") != dials:
            continue
        cases = {}
        for slow in (False, True):
            path = matrix.result_path(name, slow)
            if path.exists():
                cases.update((c["id"], c) for c in json.loads(path.read_text())["cases"])
        if cases:
            found[name] = cases
    return found


def short(name):
    return re.sub(r"tendermint-|cometbft-v", "", name.replace(":dials", ""))


def letter(case):
    if case is None:
        return ""
    return LETTERS["crash" if "crash" in case else case["verdict"]]


def head(first, names):
    return ["| %s | " % first + " | ".join(short(n) for n in names) + " |",
            "| --- |" + " --- |" * (len(names) + first.count("|"))]


def table(found):
    lines = head("", found)
    for verdict in ("pass", "deviation", "fail", "skip"):
        counts = [sum(c["verdict"] == verdict for c in cases.values()) for cases in found.values()]
        lines.append("| %s | " % verdict + " | ".join(map(str, counts)) + " |")
    lines.append("")
    lines += head("clause | case", found)
    for case in node.listed():
        cells = [letter(cases.get(case["id"])) for cases in found.values()]
        if any(c not in ("+", ".", "") for c in cells):
            lines.append("| %s | %s: %s | %s |" % (case["clause"], case["id"], case["title"],
                                                  " | ".join(cells)))
    return lines


def hex_of(frame):
    text = frame["hex"][:2 * SHOWN]
    return "`%s%s`" % (text, ".." if frame["bytes"] > SHOWN else "") if text else "nothing"


def exchange(case):
    """The last words on the connection that was judged."""
    if not case["evidence"]:
        return "no connection"
    trace = case["evidence"][-1]
    frames, parts = trace["frames"], []
    for side, who in (("yardspec", "we"), ("target", "it")):
        last = [f for f in frames if f["from"] == side][-1:]
        if last:
            parts.append("%s, at %d ms, %d bytes in a frame: %s"
                         % (who, last[0]["ms"], last[0]["bytes"], hex_of(last[0])))
        else:
            wire = trace["sent" if side == "yardspec" else "received"]
            parts.append("%s, in clear, %d bytes: %s" % (who, wire["bytes"], hex_of(wire)))
    end = "closed by %s after %d ms" % (trace["closed_by"], trace["ms"])
    return "; ".join(parts) + "; " + ("open" if trace["closed_by"] == "nobody" else end)


def evidence():
    """One line for each case and reading of it, from the first target that shows it."""
    lines = ["| case | seen at | expected, and came | last on the connection | our reading |",
             "| --- | --- | --- | --- | --- |"]
    seen = set()
    for dials in (False, True):
        found = documents(dials)
        for row in node.listed():
            for name, cases in found.items():
                case = cases.get(row["id"])
                if case is None or case["verdict"] not in ("deviation", "fail"):
                    continue
                family = name.split(":")[1].split("-")[0]
                if (row["id"], family) in seen:
                    continue
                seen.add((row["id"], family))
                detail, _, reading = case["detail"].partition("; known: ")
                detail = detail[detail.find("expected "):] if "expected " in detail else detail
                if "crash" in case:
                    detail += "; its log: " + case["crash"]
                cell = lambda text: text.replace("|", "\\|").replace("\n", " ")
                lines.append("| %s | %s | %s | %s | %s |"
                             % (row["id"], short(name) + (", it dials" if dials else ""),
                                cell(detail), exchange(case), cell(reading or "none")))
    return lines


def clause_table():
    lines, by_clause = ["| clause | cases |", "| --- | --- |"], {}
    for case in node.listed():
        by_clause.setdefault(case["clause"], []).append(case["id"])
    known = node.clauses()
    for clause in sorted(by_clause, key=list(known).index):
        lines.append("| %s | %s |" % (clause, " ".join(by_clause[clause])))
    return lines


def replace(text, begin, end, lines):
    before, rest = text.split(begin)
    return before + begin + "\n" + "\n".join(lines) + "\n" + end + rest.split(end)[1]


def write():
    page = node.ROOT / "docs" / "conformance.md"
    text = page.read_text()
    lines = ["### We dial", ""] + table(documents(False))
    lines += ["", "### The target dials", ""] + table(documents(True))
    lines += ["", "### The evidence", ""] + evidence()
    text = replace(text, BEGIN, END, lines)
    page.write_text(replace(text, CASES_BEGIN, CASES_END, clause_table()))


if __name__ == "__main__":
    write()
