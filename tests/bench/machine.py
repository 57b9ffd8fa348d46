"""What a measurement must say of the machine: processor, load, and time that the hypervisor took. Linux."""

import os

FLAGS = ("avx2", "avx512_vnni", "avx_vnni", "amx_int8")


def cores():
    """Numbers of the cores that this process may use."""
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:
        return list(range(os.cpu_count() or 1))


def n_cores():
    return len(cores())


def first_cores(n):
    return cores()[:n]


def describe():
    name, flags = "unknown processor", set()
    try:
        with open("/proc/cpuinfo") as f:
            for line in f:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    name = value.strip()
                elif key.strip() == "flags":
                    flags = set(value.split())
    except OSError:
        pass
    return {"processor": name, "cores": n_cores(), "flags": {f: f in flags for f in FLAGS}}


def sentence(machine):
    has = [f for f, yes in machine["flags"].items() if yes]
    lacks = [f for f, yes in machine["flags"].items() if not yes]
    text = f"{machine['processor']}, {machine['cores']} cores"
    text += f", with {', '.join(has)}" if has else ""
    return text + (f", without {', '.join(lacks)}" if lacks else "")


def load():
    """Processes that wanted to run, on average over the last minute."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def cpu_times():
    """(stolen, all) in ticks since the machine started."""
    try:
        with open("/proc/stat") as f:
            ticks = [int(x) for x in f.readline().split()[1:9]]
    except (OSError, ValueError):
        return 0, 0
    return (ticks[7] if len(ticks) > 7 else 0), sum(ticks)


def steal_percent(before, after):
    total = after[1] - before[1]
    return round(100 * (after[0] - before[0]) / total, 2) if total > 0 else 0.0
