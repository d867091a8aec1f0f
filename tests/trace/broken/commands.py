"""What can be done wrong in a command."""
from nvlab.spec.commands import cmd

from .correct import Broken


class NoPrp2(Broken):
    """Takes PRP1 to be enough for two pages."""

    rule = "prp2-missing"

    def prps(self, buffer):
        return int(buffer.iova), 0

    def work(self):
        self.write_and_read(0, 8)
        self.write_and_read(0, 16)


class UnalignedPrp2(Broken):
    """Takes PRP2 for the end of the data."""

    rule = "prp2-unaligned"

    def prps(self, buffer):
        return int(buffer.iova), int(buffer.iova) + buffer.size - 512

    def work(self):
        self.write_and_read(0, 16)


class AlwaysAList(Broken):
    """Makes a PRP list for two pages too."""

    rule = "prp2-list-for-page"

    def prps(self, buffer):
        pages = [int(buffer.iova) + at for at in range(0, buffer.size, self.page)]
        return pages[0], self.prp_list(pages[1:]) if len(pages) > 1 else 0

    def work(self):
        self.write_and_read(0, 16)


class NeverAList(Broken):
    """Gives the second page where a list of pages is meant."""

    rule = "prp2-page-for-list"

    def prps(self, buffer):
        return int(buffer.iova), int(buffer.iova) + self.page

    def work(self):
        self.write_and_read(0, 40)


class OneBlockTooMany(Broken):
    """Writes the number of blocks into NLB."""

    rule = "zero-based-size"

    def zero_based(self, blocks):
        return blocks

    def work(self):
        self.write_and_read(0, 8)


class IdentifyOnIo(Broken):
    """Sends Identify on the I/O queue."""

    rule = "admin-on-io"

    def work(self):
        self.do(self.io, cmd.identify(cns=1, prp1=self.data))


class TooManyEvents(Broken):
    """Sends Asynchronous Event Requests as if there were no limit."""

    rule = "aer-limit"
    admin_depth = 16

    def work(self):
        for _ in range(6):
            self.submit(self.admin, cmd.async_event_request())
            self.move()
        self.wait(self.admin)


ALL = [found for found in vars().values() if isinstance(found, type) and issubclass(found, Broken) and found is not Broken]
