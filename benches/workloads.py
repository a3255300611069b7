"""What is measured: the groups of runs, the tables and plots made of them, and the targets.

A Group is a set of programs that are run in turn, round by round, at one place. A Table has one row for each program
and one column for a figure of a group. A Plot has one group for each n."""
import os
import shutil
from dataclasses import dataclass, field
from typing import Callable, Optional

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "build")
OURS = "pirn"  # the name our rows begin with
FLOORS = ("floor", "yard")  # rows that are not rivals: what the machine can do; a channel where loops are compared
GREEN = ("go", "erlang")  # shown, but no rivals of OS threads: they switch in user space


@dataclass
class Place:
    """Where a group runs: `pin=` for the programs that place their threads, a prefix, and whether the cores are busy."""
    name: str
    pin: str
    prefix: tuple = ()
    loaded: bool = False


ACROSS = Place("across", "two")  # quiet; each side of the workload on a core of its own
UNPINNED = Place("unpinned", "none")  # quiet; where the threads run is the scheduler's business
LOADED = Place("loaded", "none", loaded=True)
ONE_CORE = Place("one core", "none", prefix=("taskset", "-c", "0"))


@dataclass
class Group:
    name: str
    place: Place
    rounds: int = 5
    quick: int = 0  # rounds in bench-quick; 0: not part of it
    cells: list = field(default_factory=list)

    def c(self, programs, *args, pin=True):
        """C programs of build/; one that is not built is left out"""
        for p in programs.split():
            self.cells.append([os.path.join(BUILD, p), *args, *self._pin(pin)])
        return self

    def rs(self, workload, peers, *args, pin=True):
        for p in peers.split():
            self.cells.append([os.path.join(BUILD, "peers-rs"), workload, p, *args, *self._pin(pin)])
        return self

    def go(self, workload, *args):
        self.cells.append([os.path.join(BUILD, "peers-go"), workload, *args])
        return self

    def erl(self, workload, *args):
        self.cells.append(["erl", "+P", "2000000", "-noshell", "-pa", BUILD, "-run", "peers", "main", workload, *args])
        return self

    def java(self, workload, peer, *args):
        self.cells.append(["java", "-cp", BUILD, "Peers", workload, peer, *args])
        return self

    def raw(self, *argv):
        self.cells.append(list(argv))
        return self

    def _pin(self, pin):
        return [f"pin={self.place.pin}"] if pin and self.place.pin != "none" else []

    def commands(self, with_languages=True):
        for c in self.cells:
            program = os.path.basename(c[0])
            if not with_languages and program in ("peers-go", "erl", "java"):
                continue
            if c[0].startswith(HERE) and not os.path.exists(c[0]):
                continue
            yield [*self.place.prefix, *c]


@dataclass
class Target:
    """`limit(medians)` gives the figure not to exceed; `medians` is {peer: median} of the same column, `medians_of(id)` of another."""
    text: str
    limit: Callable
    rows: tuple = (OURS,)  # the rows it is meant for


def at_most(x, rows=(OURS,)):
    return Target(f"≤ {x:,g}", lambda medians, _: x, rows)


def times(factor, peer):
    name = peer if factor == 1 else f"{factor:g} × {peer}"
    return Target(f"≤ {name}", lambda medians, _: factor * medians[peer] if peer in medians else None)


def rival(peer):
    return not peer.startswith((OURS,) + FLOORS)


def best_of_rivals(medians):
    values = [v for p, v in medians.items() if rival(p) and p not in GREEN and v]
    return min(values) if values else None


def best_rival(factor=1.0):
    def limit(medians, _):
        best = best_of_rivals(medians)
        return factor * best if best else None
    return Target("≤ best rival" if factor == 1 else f"≤ {factor:g} × best rival", limit)


def times_own(factor, column):
    return Target(f"≤ {factor:g} × quiet", lambda _, medians_of: factor * medians_of(column)[OURS] if OURS in medians_of(column) else None)


@dataclass
class Column:
    head: str
    group: Group
    target: Optional[Target] = None
    figure: str = "ns"  # or the name of an extra figure that the programs print

    @property
    def id(self):
        return self.group.name + ("" if self.figure == "ns" else "/" + self.figure)


@dataclass
class Table:
    name: str
    title: str
    columns: list


@dataclass
class Plot:
    name: str
    title: str
    x: str
    y: str
    points: list  # (n, Group)


PLACES = (ACROSS, LOADED, ONE_CORE)
SLUG = {"across": "across", "unpinned": "unpinned", "loaded": "loaded", "one core": "one"}


def slug(place):
    return SLUG[place.name]


def w1a():
    columns = []
    for place in PLACES:
        for p in (1, 2):
            g = Group(f"w1a.p{p}.{slug(place)}", place, quick=2 * (place is ACROSS and p == 1))
            a = ["mode=a", f"p={p}"]
            g.c("w1_pirn w1_libuv w1_glib w1_libevent w1_libev w1_floor_flag", "m=5000000", *a)
            g.rs("w1a", "tokio-notify", "m=5000000", *a[1:])
            g.rs("w1a", "mio", "m=400000", *a[1:])
            target = at_most(6) if place is ACROSS else best_rival()
            columns.append(Column(f"{place.name}, {p}", g, target))
    return Table("w1a", "W1a: N threads activate one shared event of a running loop; ns per activation, by the number of threads", columns)


def w1b():
    columns = []
    for place in PLACES:
        for p in (1, 2):
            g = Group(f"w1b.p{p}.{slug(place)}", place, quick=2 * (place is ACROSS))
            a = ["mode=b", f"p={p}"]
            g.c("w1_pirn w1_pirn_new w1_pirn_pre w1_libuv w1_libev w1_libevent w1_libevent_new w1_libevent_pre w1_pthread "
                "w1_floor_flag w1_floor_nomalloc", "m=1000000", *a)
            g.c("w1_glib", "m=250000", *a)
            g.rs("w1b", "crossbeam-unbounded std-mpsc-unbounded tokio-spawn", "m=1000000", *a[1:])
            target = at_most(30, ("pirn", "pirn-pre")) if place is ACROSS else best_rival()
            columns.append(Column(f"{place.name}, {p}", g, target))
    return Table("w1b", "W1b: each post, or activation of an event of its own, is one callback; ns per callback, by the number of threads", columns)


def w2():
    columns = []
    for place, n in ((ACROSS, 10000), (UNPINNED, 10000), (LOADED, 3000), (ONE_CORE, 50000)):
        g = Group(f"w2.{slug(place)}", place, quick=2 * (place in (ACROSS, ONE_CORE)))
        slow = place in (ONE_CORE, LOADED)
        few = [f"n={n}", f"warm={n // 10}"]
        many = few if slow else ["n=500000"]
        g.c("w2_pirn w2_floor_adaptive", *many)
        g.c("w2_libevent w2_libev w2_glib w2_floor_epoll w2_floor_futex w2_floor_yield", *few)
        g.c("w2_libuv w2_floor_spinfutex", *(["n=3000", "warm=300"] if slow else few))
        if place is ACROSS:
            g.c("w2_floor_spin", *many)
        g.rs("w2", "mio polling tokio-notify", *few).rs("w2", "crossbeam", *many)
        target = {"across": at_most(200), "unpinned": best_rival(), "loaded": best_rival(), "one core": at_most(5100)}[place.name]
        columns.append(Column(place.name, g, target))
    for place in (ACROSS, LOADED, ONE_CORE):
        g = Group(f"w2.asleep.{slug(place)}", place, rounds=3)
        g.c("w2_pirn w2_libevent w2_libuv w2_libev w2_glib w2_floor_epoll w2_floor_futex w2_floor_adaptive", "n=500", "warm=20", "gap=2000")
        columns.append(Column(f"asleep, {place.name}", g, best_rival(1.1)))
    return Table("w2", "W2: wake ping-pong of two loops; ns per round trip. Asleep: from the activation of a loop that has slept for 2 ms to its callback; ns, median", columns)


def w3():
    rivals = "w3_pirn w3_libev w3_libevent w3_libuv w3_floor"
    places = (UNPINNED, LOADED, ONE_CORE)
    a, b, c = [], [], []
    for place in places:
        word = "quiet" if place is UNPINNED else place.name
        few = place is not UNPINNED
        g = Group(f"w3a.{slug(place)}", place, rounds=3, quick=2 * (place is UNPINNED))
        g.c(rivals + " w3_glib", "mode=a").rs("w3a", "tokio-delayqueue tokio-sleep")
        a.append(Column(f"add + cancel, {word}", g, best_rival() if few else at_most(25)))
        g = Group(f"w3b.{slug(place)}", place, rounds=3, quick=int(place is UNPINNED))
        lead = ["lead=4000"] if place is LOADED else []
        g.c(rivals + ("" if few else " w3_glib"), "mode=b", *lead).rs("w3b", "tokio-delayqueue tokio-sleep", *lead)
        b.append(Column(f"CPU ns, {word}", g, best_rival() if few else at_most(450)))
        if not few:
            b.append(Column("p99 late, µs", g, at_most(2500), "p99_us"))
            b.append(Column("latest, µs", g, None, "max_us"))
            b.append(Column("early", g, at_most(0), "early"))
    for n, limit in ((10000, 20), (100000, 25), (1000000, 75)):
        for place in places if n == 100000 else (UNPINNED,):
            g = Group(f"w3c.{n}.{slug(place)}", place, rounds=3, quick=2 * (place is UNPINNED and n == 100000))
            g.c(rivals, "mode=c", f"n={n}", "m=5000000")
            g.rs("w3c", "tokio-delayqueue tokio-sleep", f"n={n}", "m=5000000")
            word = f"{n:,} pending" + ("" if place is UNPINNED else f", {place.name}")
            c.append(Column(word, g, at_most(limit) if place is UNPINNED else best_rival()))
    return [
        Table("w3a", "W3a: add 1M timers, then cancel them; ns per timer", a),
        Table("w3b", "W3b: 1M timers due within one second, all run; CPU ns per timer, and how late", b),
        Table("w3c", "W3c: replace the timeout of a pending timer; ns per reset", c),
    ]


def w4():
    loop, setup = [], []
    sizes = ((100, 1, UNPINNED), (100, 100, UNPINNED), (1000, 1, UNPINNED), (1000, 100, UNPINNED), (9900, 100, UNPINNED), (9900, 1000, UNPINNED),
             (1000, 100, LOADED), (1000, 100, ONE_CORE))
    for n, a, place in sizes:
        g = Group(f"w4.n{n}.a{a}.{slug(place)}", place, rounds=5, quick=2 * ((n, a, place) in (sizes[3], sizes[5])))
        args = [f"n={n}", f"a={a}", "w=1000", "rounds=25"]
        g.c("w4_pirn w4_libev w4_libevent w4_libuv w4_floor w4_floor_mod", *args).rs("w4", "mio polling", *args)
        word = f"{n:,} / {a:,}" + ("" if place is UNPINNED else f", {place.name}")
        loop.append(Column(word, g, times(1.05, "floor-epoll")))
        setup.append(Column(word, g, times(1, "libev"), "setup_ns_per_fd"))
    return [
        Table("w4", "W4: libevent's socketpair benchmark, pairs / active; ns per event, without the set-up", loop),
        Table("w4setup", "W4 set-up: remove each watcher and add it again, then one turn; ns per watcher", setup),
    ]


def w5():
    tables = []
    for size, limit, total in ((8, 22, 2000000), (64, 45, 2000000), (1024, 90, 500000)):
        columns = []
        for place, ps in ((ACROSS, (1, 2, 4)), (UNPINNED, (1,)), (LOADED, (1, 4)), (ONE_CORE, (1, 4))):
            for p in ps:
                g = Group(f"w5.{size}.p{p}.{slug(place)}", place, rounds=3, quick=2 * (place is ACROSS and (size, p) in ((8, 1), (8, 4), (64, 1), (1024, 1))))
                a = [f"p={p}", f"total={total}"]
                floors = f" w5_floor_spsc_{size}" if p == 1 and place is not ONE_CORE else ""
                g.c(f"w5_pirn_{size} w5_pirn_bytes_{size} w5_pthread_{size} w5_floor_ring_futex_{size} w5_floor_swap_{size}" + floors, *a)
                g.rs("w5", "crossbeam std-mpsc flume kanal tokio", f"size={size}", *a)
                if place is ACROSS and p != 2:
                    b = [f"size={size}", *a]
                    g.go("w5", *b).java("w5", "java-abq", *b).erl("w5", *b)
                target = at_most(limit) if place is ACROSS else times_own(2, f"w5.{size}.p{p}.across") if place is LOADED else best_rival()
                columns.append(Column(f"{place.name}, {p}", g, target))
        tables.append(Table(f"w5.{size}", f"W5, {size} bytes: a bounded mailbox of 1024, messages copied; ns per message, by the number of producers", columns))
    return tables


def w6():
    columns = []
    for place in (ACROSS, UNPINNED, LOADED, ONE_CORE):
        for callers in (1, 4):
            g = Group(f"w6.c{callers}.{slug(place)}", place, rounds=3, quick=2 * (place in (ACROSS, ONE_CORE) and callers == 1))
            n = 5000 if place is LOADED else 30000
            fast = n if place in (LOADED, ONE_CORE) else 400000
            a = [f"c={callers}"]
            g.c("w6_pirn w6_floor_adaptive", f"n={fast}", *a)
            g.c("w6_pthread w6_floor_futex w6_floor_yield", f"n={n}", *a)
            if place is ACROSS:
                g.c("w6_floor_spin", "n=1000000", *a)
            g.rs("w6", "std-mpsc flume tokio", f"n={n}", *a).rs("w6", "crossbeam kanal", f"n={fast}", *a)
            if place in (UNPINNED, ONE_CORE):  # their threads are not placed one by one
                g.go("w6", "n=300000", *a).erl("w6", "n=100000", *a)
                g.java("w6", "java-sync", f"n={n}", *a).java("w6", "java-abq", f"n={n}", *a)
            target = at_most(180) if place is ACROSS else times(1, "kanal") if place is ONE_CORE else best_rival()
            columns.append(Column(f"{place.name}, {callers}", g, target))
    return Table("w6", "W6: synchronous call of another thread, 8 bytes each way; ns per call, by the number of callers", columns)


def w7():
    event = Group("w7.event", UNPINNED, rounds=2, quick=2).c("w7_pirn w7_libevent w7_libuv w7_libev w7_glib", "what=event")
    timer = Group("w7.timer", UNPINNED, rounds=2, quick=2).c("w7_pirn w7_libevent w7_libuv w7_libev w7_glib", "what=timer")
    timer.rs("w7", "tokio-delayqueue tokio-sleep", "what=timer")
    thread = Group("w7.thread", UNPINNED, rounds=2, quick=2).c("w7_pirn w7_pthread", "what=thread")
    thread.rs("w7", "std-crossbeam", "what=thread").java("w7", "java")
    idle = Group("w7.idle", UNPINNED, rounds=1).c("w7_pirn", "what=idle", "n=100")
    return Table("w7", "W7: bytes (RSS) for each of 1M idle events, 1M pending timers, 1000 idle OS threads with a mailbox; ns to make one. "
                 "Idle: a loop and 100 threads with nothing to do; CPU ns and context switches per second", [
        Column("event, bytes", event, at_most(96), "bytes_each"), Column("ns", event),
        Column("timer, bytes", timer, at_most(96), "bytes_each"), Column("ns", timer),
        Column("thread, bytes", thread, at_most(8192), "bytes_each"), Column("ns", thread),
        Column("idle, CPU ns", idle, at_most(500000)), Column("switches", idle, None, "switches_each"),
    ])


def w9():
    columns = []
    for place in (UNPINNED, LOADED, ONE_CORE):
        for k, word, factor in ((1, "1 in flight", 0.5), (4, "4 in flight", 0.5), (1024, "saturated", 0.2)):
            n = 300000 if k > 4 else 3000 if place is LOADED else 30000
            g = Group(f"w9.k{k}.{slug(place)}", place, rounds=3, quick=2 * (place is UNPINNED))
            a = [f"n={n}", f"k={k}"]
            g.c("w9_pirn w9_libuv w9_glib", *a).rs("w9", "crossbeam tokio-spawn-blocking", *a)
            target = times(factor, "libuv") if place is UNPINNED else times(1, "libuv")
            columns.append(Column(f"{'quiet' if place is UNPINNED else place.name}, {word}", g, target))
    return Table("w9", "W9: a job through the pool of 2 threads, its result back on the loop; ns per job", columns)


def w10():
    """From Lisp, where there is one: the benchmark of ../lisp prints a figure for each of these columns."""
    g = Group("w10", UNPINNED, rounds=2)
    if shutil.which("sbcl") and os.path.exists(os.path.join(HERE, "..", "lisp", "bench", "run.sh")):
        g.raw(os.path.join(HERE, "w10"))
    figures = (("activations, 1 thread", "activations_shared_1_thread", 333), ("activations, 4", "activations_shared_4_threads", 333),
               ("make + activate, 1", "make_activate_run_1_thread", 333), ("make + activate, 4", "make_activate_run_4_threads", 333),
               ("delays", "delays", 667), ("messages, 1 sender", "messages_1_sender", 1000), ("messages, 4", "messages_4_senders", 1000),
               ("calls", "calls", None))
    columns = [Column(head, g, at_most(limit) if limit else None, key) for head, key, limit in figures]
    return Table("w10", "W10: from Lisp (SBCL); ns per operation", columns)


def tables():
    return [w1a(), w1b(), w2(), *w3(), *w4(), *w5(), w6(), w7(), w9(), w10()]


def plots():
    def points(name, ns, fill):
        out = []
        for n in ns:
            g = Group(f"scale.{name}.{n}", UNPINNED, rounds=3)
            fill(g, n)
            out.append((n, g))
        return out

    powers = [10 ** k for k in range(1, 7)]

    def events(g, n):
        g.c("scale_pirn scale_libevent", "what=events", f"n={n}", "m=100000")
        g.c("scale_libuv scale_libev scale_glib", "what=events", f"n={n}", f"m={max(20, min(100000, 10000000 // n))}")

    def backlog(g, n):
        g.c("scale_pirn scale_libevent scale_libuv scale_libev", "what=backlog", f"n={n}")
        g.c("scale_glib", "what=backlog", f"n={n}", "m=200000")

    def timers(g, n):
        g.c("w3_pirn w3_libev w3_libevent w3_libuv", "mode=c", f"n={n}", "m=2000000")
        g.rs("w3c", "tokio-delayqueue", f"n={n}", "m=2000000")

    def fds(g, n):
        args = [f"n={n}", "a=1", "w=1000", "rounds=15"]
        g.c("w4_pirn w4_libev w4_libevent w4_libuv w4_floor", *args).rs("w4", "mio", *args)

    def mailbox(g, n):
        g.c("scale_pirn", "what=mailbox", f"n={n}")

    def ring(g, n):
        g.c("scale_pirn scale_pthread", "what=ring", f"n={n}", "m=20000")

    def names(g, n):
        g.c("scale_pirn", "what=names", f"n={n}")

    def jobs(g, n):
        a = [f"n={max(n, 20000)}", f"k={n}"]
        g.c("w9_pirn w9_libuv", *a).rs("w9", "crossbeam", *a)

    return [
        Plot("events", "One event of n is activated", "events in the loop", "ns per activation", points("events", powers, events)),
        Plot("backlog", "n tasks posted before the loop runs them", "tasks waiting", "ns per task", points("backlog", powers, backlog)),
        Plot("timers", "The timeout of one of n pending timers is replaced", "timers pending", "ns per reset", points("timers", powers, timers)),
        Plot("fds", "One of n socketpairs is active", "socketpairs watched", "ns per event", points("fds", [10, 100, 1000, 9900], fds)),
        Plot("mailbox", "n messages wait before the first is taken", "messages waiting", "ns per message", points("mailbox", powers, mailbox)),
        Plot("ring", "A token goes round n waiting threads", "OS threads", "ns per hop", points("ring", [2, 10, 100, 1000], ring)),
        Plot("names", "One of n threads is found by its name", "threads in the registry", "ns per lookup", points("names", powers, names)),
        Plot("jobs", "n jobs in flight through the pool", "jobs in flight", "ns per job", points("jobs", [1, 10, 100, 1000, 10000, 100000], jobs)),
    ]


def groups():
    """Every group once."""
    seen = {}
    for t in tables():
        for c in t.columns:
            seen.setdefault(c.group.name, c.group)
    for p in plots():
        for _, g in p.points:
            seen.setdefault(g.name, g)
    return list(seen.values())
