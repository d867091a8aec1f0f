"""What a measurement says: totals at a moment, between two moments, and at the end."""
import dataclasses

from nvlab._core.histogram import Histogram
from nvlab.spec.render import Table, mimebundle


@dataclasses.dataclass(frozen=True)
class PerfSnapshot:
    """Totals of a run, or of the part of it between two snapshots: counts, seconds, and latencies in ns (`hist`).

    `cpu` is the processor time in ns of the threads that drove the queues (not of a drive in a thread of its own),
    `interrupts` how many came (those that land in memory while nobody looks count as one); 0 where completions were polled.
    """

    label: str
    seconds: float
    ios: int
    bytes: int
    errors: int
    miscompares: int
    latency_sum: int
    latency_min: int
    latency_max: int
    hist: Histogram = dataclasses.field(repr=False)
    cpu: int = 0
    interrupts: int = 0

    @property
    def iops(self):
        """I/Os a second."""
        return self.ios / self.seconds if self.seconds else 0.0

    @property
    def mibps(self):
        """MiB a second."""
        return self.bytes / self.seconds / (1 << 20) if self.seconds else 0.0

    @property
    def lat_avg_us(self):
        """Average latency in microseconds."""
        return self.latency_sum / self.ios / 1000 if self.ios else 0.0

    @property
    def lat_min_us(self):
        """Smallest latency in microseconds."""
        return self.latency_min / 1000

    @property
    def lat_max_us(self):
        """Largest latency in microseconds."""
        return self.latency_max / 1000

    @property
    def cpu_percent(self):
        """Processor time in percent of the time that passed: 100 is one core all the time."""
        return self.cpu / self.seconds / 1e7 if self.seconds else 0.0

    @property
    def cpu_us_per_io(self):
        """Processor time of one I/O in microseconds."""
        return self.cpu / self.ios / 1000 if self.ios else 0.0

    def percentile_us(self, percent):
        """The latency in microseconds that `percent` of the I/Os do not exceed."""
        return self.hist.percentile(percent) / 1000

    def since(self, earlier):
        """What happened between `earlier` and this snapshot; min and max come from the histogram's buckets."""
        hist = self.hist - earlier.hist
        rows = hist.rows()
        return PerfSnapshot(self.label, self.seconds - earlier.seconds, self.ios - earlier.ios, self.bytes - earlier.bytes,
                            self.errors - earlier.errors, self.miscompares - earlier.miscompares,
                            self.latency_sum - earlier.latency_sum, rows[0][0] if rows else 0, rows[-1][1] if rows else 0, hist,
                            self.cpu - earlier.cpu, self.interrupts - earlier.interrupts)

    def to_dict(self):
        """Plain numbers, for JSON."""
        return {"label": self.label, "seconds": self.seconds, "ios": self.ios, "bytes": self.bytes, "errors": self.errors,
                "miscompares": self.miscompares, "iops": self.iops, "mibps": self.mibps, "lat_avg_us": self.lat_avg_us,
                "lat_min_us": self.lat_min_us, "lat_max_us": self.lat_max_us,
                "cpu_seconds": self.cpu / 1e9, "cpu_percent": self.cpu_percent, "cpu_us_per_io": self.cpu_us_per_io,
                "interrupts": self.interrupts,
                "percentiles_us": {str(p): self.percentile_us(p) for p in (1, 10, 50, 90, 99, 99.9, 99.99)}}


def combine(label, parts):
    """One snapshot of several: counts add up, the longest time counts."""
    parts = list(parts)
    hist = sum((p.hist for p in parts), Histogram())
    worked = [p for p in parts if p.ios]
    return PerfSnapshot(label, max((p.seconds for p in parts), default=0.0), *(
        sum(getattr(p, name) for p in parts) for name in ("ios", "bytes", "errors", "miscompares", "latency_sum")),
        min((p.latency_min for p in worked), default=0), max((p.latency_max for p in worked), default=0), hist,
        sum(p.cpu for p in parts), sum(p.interrupts for p in parts))


@dataclasses.dataclass(frozen=True)
class PerfResult:
    """How a run ended: `total`, `rows` (one snapshot a worker), the settings, and `ended`, why."""

    settings: dict
    rows: list
    total: PerfSnapshot
    ended: str
    first_error: str | None = None

    def __getattr__(self, name):
        if name.startswith("_") or name == "total":
            raise AttributeError(name)
        return getattr(self.total, name)

    def to_dict(self):
        """Plain values, for JSON."""
        return {"settings": self.settings, "ended": self.ended, "first_error": self.first_error,
                "total": self.total.to_dict(), "rows": [row.to_dict() for row in self.rows]}

    @property
    def cost(self):
        """What it took of the host's processors, in a sentence."""
        t = self.total
        how = f"{t.interrupts} interrupts" if self.settings.get("interrupts") else "polling"
        return f"Host CPU time: {t.cpu / 1e9:.3f} s, {t.cpu_percent:.1f}% of a core, {t.cpu_us_per_io:.3f} us an I/O, by {how}"

    def table(self):
        """One row a worker and the total, as a render.Table."""
        lines = [*self.rows, self.total] if len(self.rows) > 1 else [self.total]
        rows = [(r.label, f"{r.iops:.2f}", f"{r.mibps:.2f}", f"{r.lat_avg_us:.2f}", f"{r.lat_min_us:.2f}", f"{r.lat_max_us:.2f}")
                for r in lines]
        note = f"{self.total.errors} errors, the first: {self.first_error}" if self.total.errors else ""
        if self.total.miscompares:
            note += f"{'; ' if note else ''}{self.total.miscompares} reads returned wrong data"
        return Table("", ("Device", "IOPS", "MiB/s", "Average us", "Min us", "Max us"), rows,
                     numbers=("IOPS", "MiB/s", "Average us", "Min us", "Max us"), note=note)

    def __repr__(self):
        t = self.total
        return (f"<PerfResult {t.iops:,.0f} IOPS, {t.mibps:,.1f} MiB/s, latency {t.lat_avg_us:.2f} us average, "
                f"{t.percentile_us(99):.2f} us p99, {t.seconds:.2f} s, ended by {self.ended}"
                f"{f', {t.errors} errors' if t.errors else ''}{f', {t.miscompares} miscompares' if t.miscompares else ''}>")

    def _repr_mimebundle_(self, include=None, exclude=None):
        return mimebundle(self.table())
