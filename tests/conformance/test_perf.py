"""The perf loop on every device: exact counts, verified data, repeatable seeds, and what it refuses."""

import numpy as np
import pytest

from nvlab import Perf
from nvlab.spec import errors
from nvlab.spec.commands import cmd
from tests.waiting import holds

from .conftest import says

WORKLOADS = ("read", "write", "randread", "randwrite", "rw", "randrw")


@pytest.fixture
def perf_ctrl(device):
    """A controller that moves by itself, with two namespaces of 1 MiB."""
    ctrl = device.attach(size="1M", namespaces=2)
    device.moves_by_itself(ctrl)
    return ctrl


@pytest.mark.parametrize("workload", WORKLOADS)
def test_each_workload_verified_and_counted(perf_ctrl, workload):
    perf = Perf(perf_ctrl, workload=workload, io_size=4096, depth=16, count=300, verify=True, seed=5, nsids=[1], region=256 << 10)
    result = perf.run()
    assert result.ended == "count" and result.ios == 300 and result.bytes == 300 * 4096
    assert result.errors == 0 and result.miscompares == 0 and result.first_error is None
    assert result.hist.total == 300 and result.lat_min_us <= result.lat_avg_us <= result.lat_max_us
    assert result.lat_min_us <= result.percentile_us(50) <= result.percentile_us(99.99)
    assert perf_ctrl.io == {} and not perf.running               # its queues are gone
    assert result.to_dict()["total"]["ios"] == 300 and result.to_dict()["settings"]["seed"] == 5
    perf_ctrl.namespaces[1].flush()


@pytest.mark.parametrize("count, depth", [(1, 1), (1, 32), (31, 32), (33, 32), (1000, 7)])
def test_count_is_exact(perf_ctrl, count, depth):
    result = Perf(perf_ctrl, workload="randread", io_size=512, depth=depth, count=count, nsids=[1]).run()
    assert (result.ios, result.bytes, result.hist.total, result.errors) == (count, count * 512, count, 0)
    assert result.ended == "count"


def test_all_namespaces_and_several_queue_pairs(perf_ctrl):
    result = Perf(perf_ctrl, workload="randrw", mix=70, io_size=4096, depth=8, count=100, qpairs=3, verify=True, seed=1).run()
    assert [row.ios for row in result.rows] == [100, 100] and result.ios == 200 and result.miscompares == 0
    assert "NSID 1" in result.rows[0].label and "NSID 2" in result.rows[1].label


def test_by_time_with_warmup_and_early_stop(perf_ctrl):
    result = Perf(perf_ctrl, workload="read", io_size=4096, depth=8, seconds=0.15, warmup=0.05, nsids=[1]).run()
    assert result.ended == "time" and result.ios > 0 and result.errors == 0
    perf = Perf(perf_ctrl, workload="write", io_size=4096, depth=8, seconds=60, nsids=[1]).start()
    first = perf.snapshot()
    assert holds(lambda: perf.snapshot().ios > first.ios)
    with pytest.raises(errors.UsageError, match="before the run has ended"):
        perf.result()
    with pytest.raises(errors.UsageError, match="under way"):
        perf.start()
    assert perf.running and "running" in repr(perf)
    result = perf.stop()
    assert result.ended == "stopped" and result.hist.total == result.ios and perf.stop().ios == result.ios
    part = result.total.since(first)
    assert part.ios == result.ios - first.ios > 0 and part.hist.total > 0


@pytest.mark.parametrize("io_size", [512, 8192, 128 << 10, 512 << 10])
def test_all_sizes_up_to_mdts(perf_ctrl, io_size):
    result = Perf(perf_ctrl, workload="randrw", io_size=io_size, depth=4, count=40, verify=True, seed=3, nsids=[1]).run()
    assert result.ios == 40 and result.miscompares == 0 and result.errors == 0


def test_other_block_size(device):
    ctrl = device.attach(size="1M", block=4096)
    device.moves_by_itself(ctrl)
    assert Perf(ctrl, workload="randrw", io_size=8192, depth=8, count=100, verify=True).run().miscompares == 0


def written_blocks(ctrl):
    data = np.array(ctrl.namespaces[1].read(0, ctrl.namespaces[1].blocks)).reshape(-1, 512)
    ctrl.namespaces[1].write_zeroes(0, ctrl.namespaces[1].blocks)
    return data.any(axis=1)


def test_a_seed_makes_a_run_repeatable(perf_ctrl):
    touched = []
    for seed in (7, 7, 8):
        Perf(perf_ctrl, workload="randwrite", io_size=512, depth=4, count=500, nsids=[1], seed=seed).run()
        touched.append(written_blocks(perf_ctrl))
    assert (touched[0] == touched[1]).all()
    assert (touched[0] != touched[2]).any() and touched[0].sum() > 100


@pytest.mark.parametrize("workload", ["rw", "randrw"])
def test_a_seed_and_the_mix_decide_what_is_read(perf_ctrl, workload):
    writes = []
    for seed in (7, 7, 8, 9):
        before = perf_ctrl.smart_log()
        Perf(perf_ctrl, workload=workload, mix=70, io_size=512, depth=4, count=1000, nsids=[1], seed=seed).run()
        after = perf_ctrl.smart_log()
        writes.append(int(after.host_write_commands - before.host_write_commands))
        assert after.host_read_commands - before.host_read_commands == 1000 - writes[-1]
    assert writes[0] == writes[1] and len(set(writes)) > 1 and all(220 < n < 380 for n in writes)


def test_sequential_writes_go_in_order_and_wrap(perf_ctrl):
    ns = perf_ctrl.namespaces[1]
    Perf(perf_ctrl, workload="write", io_size=4096, depth=4, count=10, nsids=[1], seed=1).run()
    touched = written_blocks(perf_ctrl)
    assert touched[:80].all() and not touched[80:].any()
    Perf(perf_ctrl, workload="write", io_size=4096, depth=4, count=300, nsids=[1], seed=1).run()
    assert written_blocks(perf_ctrl).all() and ns.blocks == 2048


def test_verify_notices_wrong_data(device):
    """A null device forgets what was written; behind QEMU's null-co, reads leave the buffer as it was."""
    if device.qemu:
        ctrl = device.attach(size="1M")
        ns = ctrl.namespaces[1]
        perf = Perf(ctrl, workload="read", io_size=512, depth=1, seconds=30, verify=True, seed=1)
        perf.start()
        other = ctrl.io_queue()
        assert holds(lambda: perf.snapshot().ios)
        other.execute(cmd.write_zeroes(nsid=1, slba=0, nlb=ns.blocks - 1))
        assert holds(lambda: perf.snapshot().miscompares)
        assert perf.stop().miscompares > 0
        return
    ctrl = device.attach(size="1M", bdev="null")
    device.moves_by_itself(ctrl)
    result = Perf(ctrl, workload="read", io_size=4096, depth=4, count=50, verify=True).run()
    assert result.miscompares == 50 and "50 reads returned wrong data" in result.table().text() and "50 miscompares" in repr(result)


@pytest.mark.parametrize("options, words", [
    ({"io_size": 1000}, ["I/O size 1000", "multiple", "512"]),
    ({"io_size": 0}, ["I/O size 0", "512"]),
    ({"io_size": -512}, ["I/O size -512"]),
    ({"io_size": 1 << 20}, ["I/O size 1048576", "MDTS", "524288"]),
    ({"depth": 0}, ["queue depth 0", "1 to"]),
    ({"depth": -1}, ["queue depth -1"]),
    ({"depth": 1 << 20}, ["queue depth 1048576", "CAP.MQES"]),
    ({"workload": "scribble"}, ["scribble", "randread"]),
    ({"mix": 101, "workload": "rw"}, ["mix 101", "0 to 100"]),
    ({"qpairs": 0}, ["qpairs 0"]),
    ({"seconds": 0}, ["seconds 0"]),
    ({"count": -5}, ["count -5"]),
    ({"warmup": -1}, ["warmup -1"]),
    ({"nsids": [9]}, ["9", "[1, 2]"]),
    ({"cores": [4096]}, ["cores [4096]"]),
    ({"cores": []}, ["cores []"]),
    ({"region": 512, "io_size": 4096}, ["I/O size 4096", "512 bytes"]),
])
def test_what_perf_refuses(perf_ctrl, options, words):
    with pytest.raises(errors.UsageError) as error:
        Perf(perf_ctrl, **options)
    says(error, *words)
    assert perf_ctrl.io == {}


def test_the_deepest_queue(perf_ctrl):
    depth = int(perf_ctrl.cap.MQES)
    assert Perf(perf_ctrl, workload="randread", io_size=512, depth=depth, count=2 * depth, nsids=[1]).run().ios == 2 * depth


def test_more_queue_pairs_than_there_are(perf_ctrl):
    with pytest.raises(errors.UsageError) as error:
        Perf(perf_ctrl, io_size=512, depth=1, qpairs=40, count=1).run()
    says(error, "64", "in use")
    assert perf_ctrl.io == {}                    # those it had created are gone again


def test_a_manual_drive_has_nobody_to_step_it():
    import nvlab
    with nvlab.attach("embedded:size=1M,mode=manual") as ctrl, pytest.raises(errors.UsageError) as error:
        Perf(ctrl, count=1).run()
    says(error, "manual", "step()", "ctrl.ssd.mode")


@pytest.mark.negative
def test_errors_are_counted_and_named(perf_ctrl):
    """A namespace that shrank behind perf's back: its reads fail with a status, and the run goes on."""
    ns = perf_ctrl.namespaces[1]
    ns.blocks *= 2
    result = Perf(perf_ctrl, workload="read", io_size=4096, depth=1, count=512, nsids=[1]).run()
    assert result.ios == 512 and result.errors == 256 and result.bytes == 256 * 4096
    says(errors.Error(result.first_error), "LBA Out of Range", "LBA 2048")
    assert "256 errors" in result.table().text()
