"""A namespace: blocks to read, write, flush, zero, compare and give back."""
import collections
import contextlib
import struct

import numpy as np

from nvlab._core.memory import DmaBuffer
from nvlab.spec.commands import cmd
from nvlab.spec.errors import ControllerError, UsageError
from nvlab.spec.render import Table, counted, mimebundle

from .prp import build_prp

MAX_BLOCKS = 65536
"""Blocks one command can name: NLB has 16 bits, zero-based."""


class Namespaces(dict):
    """{nsid: Namespace} of a controller; asking for one that it doesn't have says which there are."""

    def __missing__(self, nsid):
        there = f"it has {', '.join(map(str, self))}" if self else "none is known: identify_namespaces() or nvlab.attach() looks"
        raise NoSuchNamespace(f"the controller has no namespace {nsid!r}: {there}")


class NoSuchNamespace(UsageError, KeyError):
    """An nsid that is not active on this controller."""

    __str__ = UsageError.__str__


class Namespace:
    """One namespace of a controller. LBAs and lengths are in blocks; all calls block until the data is there.

    `timeout` (seconds a command may take) and `retries` (how often one that may succeed is sent again) of each call are the
    controller's, where they are None.
    Every method raises UsageError before anything is sent when the blocks or the buffer can't be right, and
    NvmeStatusError when the controller refuses.
    """

    def __init__(self, controller, nsid):
        self.controller, self.nsid = controller, nsid
        self.refresh()

    def refresh(self):
        """Identify the namespace anew. Returns it."""
        self.id = self.controller.identify_namespace(self.nsid)
        flbas = int(self.id.flbas)
        form = self.id.lbaf[flbas & 0xF | (flbas >> 5 & 3) << 4]
        self.block_size, self.metadata_size = 1 << int(form.lbads), int(form.ms)
        self.blocks = int(self.id.nsze)
        return self

    @property
    def size(self):
        """Bytes."""
        return self.blocks * self.block_size

    # -- data

    def read(self, slba, blocks=1, buffer=None, split=True, timeout=None, retries=None):
        """Read `blocks` blocks from `slba` on. Returns a DmaBuffer of their bytes (`buffer`, when given).

        More than the controller moves in one command (MDTS) is split, unless `split` is False: a UsageError then.
        """
        self._check_range("Read", slba, blocks)
        if buffer is None:
            buffer = self.controller.alloc(blocks * self.block_size, zero=False)
        self._check_buffer("Read", buffer, blocks)
        self._transfer(cmd.read, "Read", slba, buffer, split, timeout, retries)
        return buffer

    def write(self, slba, data, split=True, timeout=None, retries=None):
        """Write `data` from `slba` on: a DmaBuffer, or any bytes, which are copied.

        The data must be whole blocks; only bytes shorter than one block are filled up with zeroes.
        """
        buffer = self._as_buffer("Write", data)
        self._check_range("Write", slba, buffer.nbytes // self.block_size)
        self._transfer(cmd.write, "Write", slba, buffer, split, timeout, retries)

    def compare(self, slba, data, split=True, timeout=None, retries=None):
        """Compare `data` with the blocks from `slba` on. Raises CompareFailure when they differ."""
        buffer = self._as_buffer("Compare", data)
        self._check_range("Compare", slba, buffer.nbytes // self.block_size)
        self._transfer(cmd.compare, "Compare", slba, buffer, split, timeout, retries)

    def flush(self, timeout=None, retries=None):
        """Make all that was written non-volatile."""
        self._execute(cmd.flush(nsid=self.nsid), "Flush", timeout=timeout, retries=retries)

    def write_zeroes(self, slba, blocks=1, deallocate=False, timeout=None, retries=None):
        """Make `blocks` blocks from `slba` on read as zeroes, without sending any."""
        self._check_range("Write Zeroes", slba, blocks)
        for at in range(slba, slba + blocks, MAX_BLOCKS):
            count = min(MAX_BLOCKS, slba + blocks - at)
            self._execute(cmd.write_zeroes(nsid=self.nsid, slba=at, nlb=count - 1, deac=int(deallocate)), f"Write Zeroes at LBA {at}",
                          timeout=timeout, retries=retries)

    def verify(self, slba, blocks=1, timeout=None, retries=None):
        """Have the controller check that `blocks` blocks from `slba` on can be read, without sending them."""
        self._check_range("Verify", slba, blocks)
        step = self._blocks_per_command()
        for at in range(slba, slba + blocks, step):
            count = min(step, slba + blocks - at)
            self._execute(cmd.verify(nsid=self.nsid, slba=at, nlb=count - 1), f"Verify at LBA {at}", timeout=timeout, retries=retries)

    def dataset_management(self, ranges, deallocate=True, idr=False, idw=False, timeout=None, retries=None):
        """Tell the controller about up to 256 `ranges`, [(slba, blocks)]: deallocate (trim) them, or how they will be used."""
        ranges = list(ranges)
        if not 1 <= len(ranges) <= 256:
            raise UsageError(f"Dataset Management with {counted(len(ranges), 'range')}: 1 to 256 (NVM command set 1.0c 3.2.3)")
        for slba, blocks in ranges:
            self._check_range("Dataset Management", slba, blocks)
        raw = b"".join(struct.pack("<IIQ", 0, blocks, slba) for slba, blocks in ranges)
        buffer = self.controller.alloc(len(raw))
        buffer[:] = np.frombuffer(raw, np.uint8)
        command = cmd.dataset_management(nsid=self.nsid, nr=len(ranges) - 1, ad=int(deallocate), idr=int(idr), idw=int(idw))
        self._execute(command, "Dataset Management", buffer, timeout=timeout, retries=retries)

    def deallocate(self, slba, blocks=1):
        """Give blocks back (trim). What they read as afterwards, Identify's DLFEAT says."""
        self.dataset_management([(slba, blocks)])

    # -- how

    def _check_range(self, what, slba, blocks):
        if blocks < 1 or slba < 0 or slba + blocks > self.blocks:
            raise UsageError(f"{what} of {counted(blocks, 'block')} at LBA {slba}: namespace {self.nsid} has the LBAs 0 to {self.blocks - 1}"
                             + (", and at least one block is needed" if blocks < 1 else ""))
        if self.block_size < 512 or not self._blocks_per_command():
            raise UsageError(f"{what}: namespace {self.nsid} has blocks of {self.block_size} bytes, which is no format that this driver "
                             f"can move (MDTS allows {self.controller.max_transfer} bytes a command)")
        if self.metadata_size:
            raise UsageError(f"{what}: namespace {self.nsid} is formatted with {self.metadata_size} bytes of metadata a block, which "
                             "this driver doesn't move yet; format it without, or send the command with ctrl.submit()")

    def _check_buffer(self, what, buffer, blocks=None):
        if not isinstance(buffer, DmaBuffer) or not buffer.flags.c_contiguous:
            raise UsageError(f"{what}: the buffer must come from ctrl.alloc(), whole or a contiguous slice of it")
        if blocks is not None and buffer.nbytes != blocks * self.block_size:
            raise UsageError(f"{what} of {counted(blocks, 'block')} of {self.block_size} bytes: the buffer has {buffer.nbytes} bytes and "
                             f"needs {blocks * self.block_size}; ctrl.alloc({blocks * self.block_size}) makes one")

    def _as_buffer(self, what, data):
        """`data` in DMA memory, a whole number of blocks."""
        if isinstance(data, DmaBuffer) and data._allocation is not None:
            if data.nbytes == 0 or data.nbytes % self.block_size:
                raise UsageError(f"{what}: the buffer has {data.nbytes} bytes, which is no whole number of blocks of {self.block_size}")
            self._check_buffer(what, data)
            data.iova                            # raises for a copy that is not in DMA memory
            return data
        raw = np.frombuffer(data, np.uint8) if not isinstance(data, np.ndarray) else np.ascontiguousarray(data).reshape(-1).view(np.uint8)
        if raw.nbytes == 0 or (raw.nbytes > self.block_size and raw.nbytes % self.block_size):
            raise UsageError(f"{what}: {raw.nbytes} bytes of data are no whole number of blocks of {self.block_size} "
                             "(only less than one block is filled up with zeroes)")
        buffer = self.controller.alloc(max(raw.nbytes, self.block_size))
        buffer[:raw.nbytes] = raw
        return buffer

    def _blocks_per_command(self):
        limit = self.controller.max_transfer
        return min(MAX_BLOCKS, limit // self.block_size if limit else MAX_BLOCKS)

    def _execute(self, command, what, data=None, **how):
        return self.controller.execute(command, data, what=f"{what} on namespace {self.nsid}", **how)

    def _transfer(self, build, what, slba, buffer, split, timeout, retries):
        """Send the commands that move `buffer`, as many at once as the queue holds, and wait for all of them."""
        pair, step = self.controller.io_queue(), self._blocks_per_command()
        total = buffer.nbytes // self.block_size
        if total > step and not split:
            raise UsageError(f"{what} of {total} blocks: MDTS limits a command to {step} blocks ({step * self.block_size} bytes); "
                             "leave split=True to have it split")
        waiting, ctrl = collections.deque(), self.controller
        try:
            for at in range(0, total, step):
                count = min(step, total - at)
                held = buffer, (prp := build_prp(ctrl.dma, buffer.iova + at * self.block_size, count * self.block_size, ctrl.page))
                command = build(nsid=self.nsid, slba=slba + at, nlb=count - 1, prp1=prp.prp1, prp2=prp.prp2)
                name = f"{what} of {counted(count, 'block')} at LBA {slba + at} on namespace {self.nsid}"
                waiting.append((pair.submit(command, held, name), held))
                if len(waiting) >= pair.depth - 1:
                    ctrl.settle(*waiting.popleft(), timeout, retries)
            while waiting:
                ctrl.settle(*waiting.popleft(), timeout, retries)
        except ControllerError:                  # they had their time: those that are outstanding keep the buffer alive
            raise
        except BaseException:                    # one failed: the others must not use the buffer after we return
            late = [request for request, _ in waiting]
            with contextlib.suppress(ControllerError):
                pair.wait_until(lambda: all(request.done for request in late), timeout or ctrl.timeout, f"the rest of {what}")
            raise

    # -- for people

    @property
    def summary(self):
        """Size and format in a phrase."""
        size = self.size
        for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
            if size < 1024 or unit == "TiB":
                break
            size /= 1024
        meta = f" + {self.metadata_size} bytes of metadata" if self.metadata_size else ""
        return f"{size:g} {unit}, {self.blocks} blocks of {self.block_size} bytes{meta}"

    def table(self):
        """What this namespace is, as a render.Table."""
        return Table(f"Namespace {self.nsid}", ("", ""), [
            ("Size", self.summary), ("Used blocks (NUSE)", int(self.id.nuse)), ("NGUID", bytes(self.id.nguid).hex()),
            ("Largest transfer", f"{self._blocks_per_command()} blocks")])

    def __repr__(self):
        return f"<Namespace {self.nsid} of {self.controller.address}: {self.summary}>"

    def _repr_mimebundle_(self, include=None, exclude=None):
        return mimebundle(self.table())
