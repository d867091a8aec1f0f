"""Host Behavior Support (feature 16h), and the retry delays that a host asks for with it."""
import pytest

from nvlab.spec import errors, features, status
from nvlab.spec.commands import cmd
from nvlab.spec.feature_data import HostBehavior
from nvlab.spec.identify import IdentifyController

from .faulty import ctrl, faults, post, seen  # noqa: F401

FEATURE = features.lookup("host_behavior").fid


def tell(ctrl, **values):
    buffer = ctrl.alloc(512)
    buffer[:] = bytearray(bytes(HostBehavior.new(**values)))
    return ctrl.execute(cmd.set_features(fid=FEATURE, prp1=buffer))


def told(ctrl, select=0):
    buffer = ctrl.alloc(512)
    ctrl.execute(cmd.get_features(fid=FEATURE, sel=select, prp1=buffer))
    return HostBehavior(bytes(buffer))


def test_the_structure():
    assert HostBehavior.SIZE == features.FEATURES[FEATURE].data == 512
    assert bytes(HostBehavior.new(acre=1, etdas=2, lbafee=3)) == bytes([1, 2, 3]) + bytes(509)


def test_set_and_get(ctrl):
    tell(ctrl, acre=1)
    assert told(ctrl).acre == 1 and told(ctrl, select=1).acre == 0
    tell(ctrl, acre=0)
    assert told(ctrl).acre == 0
    tell(ctrl, acre=1)
    ctrl.disable()
    ctrl.start()
    before = ctrl.ssd.controller.admin.behavior.acre     # the driver's choice, or none: a reset has forgotten ours
    assert told(ctrl).acre == before


@pytest.mark.parametrize("values", [{"acre": 2}, {"acre": 255}, {"etdas": 1}, {"lbafee": 1}])
def test_what_this_drive_does_not_have(ctrl, values):
    before = told(ctrl)
    with pytest.raises(errors.InvalidFieldInCommand):
        tell(ctrl, **values)
    assert told(ctrl) == before


def test_data_that_cannot_be_read(ctrl):
    with pytest.raises(errors.NvmeStatusError):
        ctrl.execute(cmd.set_features(fid=FEATURE, prp1=1 << 50))
    with pytest.raises(errors.FeatureIdentifierNotSaveable):
        ctrl.execute(cmd.set_features(fid=FEATURE, sv=1, prp1=ctrl.alloc(512)))


def test_the_delays(ctrl):
    found = IdentifyController(ctrl.identify_data(1))
    assert [int(found.crdt1), int(found.crdt2), int(found.crdt3)] == [1, 2, 5]


@pytest.mark.parametrize("crd", [0, 1, 2, 3])
@pytest.mark.parametrize("enabled", [0, 1])
def test_crd_is_told_to_a_host_that_asked(ctrl, faults, crd, enabled):
    tell(ctrl, acre=enabled)
    pair = ctrl.create_io_queue_pair(8)
    faults.status("Namespace Not Ready", crd=crd, count=1)
    post(pair, cmd.flush(nsid=1))
    found, = seen(pair, 1)
    assert found.crd == crd * enabled and found.dnr == 0 and found.status == status.NAMESPACE_NOT_READY
