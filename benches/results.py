"""Rows of runs: kept in results/GROUP.tsv, read back as medians."""
import os
import statistics
from dataclasses import dataclass

from workloads import HERE, OURS, best_of_rivals, rival

RESULTS = os.path.join(HERE, "results")
FOREIGN = 0.05  # a run during which others had more than this part of the machine is dirty


@dataclass
class Row:
    peer: str
    ops: str
    seconds: str
    ns: float
    foreign: float  # part of the machine that other processes used meanwhile
    extra: str
    occasion: str  # date and commit

    def figure(self, name):
        if name == "ns":
            return self.ns
        for word in self.extra.split():
            key, _, value = word.partition("=")
            if key == name:
                return float(value)
        return None

    @property
    def failed(self):
        return self.ns != self.ns  # not a number

    @property
    def dirty(self):
        return self.foreign > FOREIGN


def save(directory, group, rows):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, group + ".tsv"), "w") as f:
        for r in rows:
            f.write("\t".join([r.peer, r.ops, r.seconds, f"{r.ns:.2f}", f"{r.foreign:.3f}", r.extra, r.occasion]) + "\n")


def load(directory, group):
    rows = []
    try:
        with open(os.path.join(directory, group + ".tsv")) as f:
            for line in f:
                peer, ops, seconds, ns, foreign, extra, occasion = line.rstrip("\n").split("\t")
                rows.append(Row(peer, ops, seconds, float(ns), float(foreign), extra, occasion))
    except FileNotFoundError:
        pass
    return rows


def used(rows):
    """The rows that count: the clean ones while there are two, else all."""
    good = [r for r in rows if not r.failed]
    clean = [r for r in good if not r.dirty]
    return clean if len(clean) >= 2 else good


def medians(rows, figure="ns"):
    """{peer: median}; None for one that only failed."""
    by_peer = {}
    for r in rows:
        by_peer.setdefault(r.peer, []).append(r)
    out = {}
    for peer, rs in by_peer.items():
        values = [v for v in (r.figure(figure) for r in used(rs)) if v is not None]
        out[peer] = statistics.median(values) if values else None
    return out


def figure_text(x):
    if x is None:
        return "failed"
    return f"{x:.1f}" if abs(x) < 100 and x != int(x) else f"{x:,.0f}"


class Book:
    """The results of one directory, as tables."""

    def __init__(self, directory=RESULTS):
        self.directory, self.cache = directory, {}

    def rows(self, group):
        if group not in self.cache:
            self.cache[group] = load(self.directory, group)
        return self.cache[group]

    def medians_of(self, column_id):
        group, _, figure = column_id.partition("/")
        return {p: v for p, v in medians(self.rows(group), figure or "ns").items() if v is not None}

    def limit(self, column):
        return column.target.limit(self.medians_of(column.id), self.medians_of) if column.target else None

    def short(self, column):
        """[(peer, median, limit)] of our rows that miss the column's target"""
        limit, out = self.limit(column), []
        for peer in column.target.rows if column.target else ():
            got = medians(self.rows(column.group.name), column.figure)
            if peer in got and limit is not None and (got[peer] is None or got[peer] > limit):
                out.append((peer, got[peer], limit))
        return out

    def occasions(self):
        return sorted({r.occasion for rows in self.cache.values() for r in rows})

    def markdown(self, table):
        """The table as lines of Markdown; [] without any result."""
        columns = [c for c in table.columns if self.rows(c.group.name)]
        if not columns:
            return []
        got = [medians(self.rows(c.group.name), c.figure) for c in columns]
        short = [{p for p, _, _ in self.short(c)} for c in columns]
        inf = float("inf")

        def key(peer):
            first = next((m[peer] for m in got if m.get(peer) is not None), inf)
            return (0 if peer.startswith(OURS) else 1 if rival(peer) else 2, first)

        peers = sorted({p for m in got for p in m}, key=key)
        lines = ["| | " + " | ".join(c.head for c in columns) + " |", "| --- |" + " ---: |" * len(columns)]
        for p in peers:
            ours = p.startswith(OURS)
            cells = []
            for m, s in zip(got, short):
                text = figure_text(m[p]) if p in m else ""
                cells.append((f"**{text}**" if ours and text else text) + (" ✗" if p in s else ""))
            name = f"**{p}**" if ours else p if rival(p) else f"*{p}*"
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines.append("| target | " + " | ".join(self.target_text(c) for c in columns) + " |")
        lines.append("| best rival ÷ pirn | " + " | ".join(self.ratio_text(m) for m in got) + " |")
        lines.append("| runs, of them dirty | " + " | ".join(self.runs_text(c) for c in columns) + " |")
        return lines

    def target_text(self, column):
        limit = self.limit(column)
        if limit is None:
            return column.target.text if column.target else ""
        return column.target.text if column.target.text.endswith(figure_text(limit)) else f"{column.target.text}: {figure_text(limit)}"

    @staticmethod
    def ratio_text(medians_):
        best, ours = best_of_rivals(medians_), medians_.get(OURS)
        return f"{best / ours:.2f}" if best and ours else ""

    def runs_text(self, column):
        rows = self.rows(column.group.name)
        return f"{len(rows)}, {sum(r.dirty for r in rows)}"
