"""What can be done wrong in the bring-up."""
from nvlab.spec.registers import ACQ, ASQ

from .correct import Broken


class EnablesFirst(Broken):
    """Sets CC.EN before it says where the admin queue is."""

    rule = "admin-queue-unset"

    def tell_admin_queue(self):
        """Too late: see wait_ready()."""

    def wait_ready(self, value):
        if value:
            super().tell_admin_queue()
        super().wait_ready(value)


class ForgetsAcq(Broken):
    """Never writes ACQ."""

    rule = "admin-queue-unset"

    def tell_admin_queue(self):
        super().tell_admin_queue()
        self.bar.write64(ACQ.offset, 0)


class UnalignedAsq(Broken):
    """Puts the admin submission queue in the middle of a page."""

    rule = "admin-queue-unaligned"

    def tell_admin_queue(self):
        super().tell_admin_queue()
        self.bar.write64(ASQ.offset, self.admin.sq_memory.iova + 512)


class NoEntrySizes(Broken):
    """Leaves CC.IOSQES and CC.IOCQES 0."""

    rule = "entry-size"

    def enable(self):
        self.write_cc(EN=1)


class PagesOfAnotherSize(Broken):
    """Sets CC.MPS to 8 KiB and builds PRPs for 4 KiB."""

    rule = "page-size"

    def enable(self):
        self.write_cc(EN=1, MPS=1, IOSQES=6, IOCQES=4)

    def work(self):
        self.write_and_read(0, 16)


class SqBeforeCq(Broken):
    """Creates the submission queue first."""

    rule = "sq-before-cq"

    def create_io_queues(self):
        create_cq, self.create_cq = self.create_cq, lambda: None
        super().create_io_queues()
        create_cq()


ALL = [found for found in vars().values() if isinstance(found, type) and issubclass(found, Broken) and found is not Broken]
