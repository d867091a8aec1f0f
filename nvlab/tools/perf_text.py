"""What a measurement says, in the layout of SPDK's perf: the table, the percentiles, the histogram."""

__all__ = ["COLUMNS", "CUTOFFS", "histogram", "percentiles", "progress", "table", "to_json"]

COLUMNS = (("IOPS", "iops"), ("MiB/s", "mibps"), ("Average", "lat_avg_us"), ("min", "lat_min_us"), ("max", "lat_max_us"))
"""Heading and attribute of a PerfSnapshot."""

CUTOFFS = (1, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.9, 99.99, 99.999, 99.9999, 99.99999)
"""The percentiles of the summary."""

WIDTH = 10
RULE = 56


def table(result):
    """The table of a PerfResult: a line for each device, namespace and core, and the total."""
    name = max(map(len, ["Device Information", *(row.label for row in result.rows)])) + 1
    rule = "=" * max(RULE, name + 1 + (WIDTH + 1) * len(COLUMNS))
    lines = [rule, "Latency(us)".rjust(name + 1 + (WIDTH + 1) * len(COLUMNS)),
             f"{'Device Information':<{name}}:" + "".join(f" {heading:>{WIDTH}}" for heading, _ in COLUMNS)]
    lines += [_line(row.label, row, name) for row in result.rows]
    return "\n".join([*lines, rule, _line("Total", result.total, name)])


def _line(label, row, name):
    return f"{label:<{name}}:" + "".join(f" {getattr(row, attribute):>{WIDTH}.2f}" for _, attribute in COLUMNS)


def percentiles(row):
    """The latencies that CUTOFFS percent of one row's I/Os don't exceed."""
    lines = [f"Summary latency data for {row.label}:", "=" * RULE]
    return "\n".join(lines + [f"{cutoff:9.5f}% : {row.percentile_us(cutoff):9.3f}us" for cutoff in CUTOFFS])


def histogram(row):
    """Each bucket of one row's latencies that counted anything, with the share of I/Os up to it."""
    lines = [f"Latency histogram for {row.label}:", "=" * RULE, "       Range in us     Cumulative    IO count"]
    total, so_far = row.hist.total, 0
    for first, last, count in row.hist.rows():
        so_far += count
        lines.append(f"{first / 1000:9.3f} - {last / 1000:9.3f}: {100 * so_far / total:9.4f}%  ({count:9d})")
    return "\n".join(lines)


def progress(now, before):
    """One line on how a run goes: the time, and the rates since `before`, the snapshot taken last."""
    lately = now.since(before) if before is not None and now.seconds > before.seconds else now
    return (f"{now.seconds:7.1f} s  {lately.iops:13,.0f} IOPS  {lately.mibps:10,.1f} MiB/s  {lately.lat_avg_us:9.2f} us average"
            + (f"  {now.errors} errors" if now.errors else ""))


def to_json(result, level):
    """The result as plain values; `level` 1 adds every percentile of CUTOFFS, 2 also the histograms."""
    shown = result.to_dict()
    for row, plain in zip([result.total, *result.rows], [shown["total"], *shown["rows"]]):
        if level >= 1:
            plain["percentiles_us"] = {str(cutoff): row.percentile_us(cutoff) for cutoff in CUTOFFS}
        if level >= 2:
            plain["histogram_us"] = [[first / 1000, last / 1000, count] for first, last, count in row.hist.rows()]
    return shown
