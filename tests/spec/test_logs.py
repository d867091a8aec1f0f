"""Log pages and features: layout, helpers, words."""
import pytest

from nvlab.spec import describe, features
from nvlab.spec.errors import UsageError
from nvlab.spec.logs import LOGS, ChangedNamespaceList, CommandsSupportedLog, ErrorLogEntry, FirmwareLog, SmartLog


def test_log_pages_have_the_sizes_of_the_standard():
    assert {lid: page.struct.SIZE for lid, page in LOGS.items()} == {1: 64, 2: 512, 3: 512, 4: 4096, 5: 4096}


def test_an_error_entry_takes_its_status_apart():
    entry = ErrorLogEntry.new(error_count=9, status_field={"P": 1, "SC": 0x80, "SCT": 2, "DNR": 1}, nsid=0xFFFFFFFF)
    assert int(entry.status_field) == 0x8000 | 2 << 9 | 0x80 << 1 | 1
    assert entry.status_field.SCT == 2 and entry.status_field.DNR.meaning == "Yes"


def test_smart_units_and_warnings():
    smart = SmartLog.new(critical_warning={"SPARE": 1, "READ_ONLY": 1}, temperature=310, data_units_written=2000,
                         controller_busy_time=90, power_on_hours=1)
    assert smart.critical_warning == 9 and smart.critical_warning.SPARE.meaning == "WARNING"
    assert describe.text(smart, "temperature") == "310 Kelvin (37 Celsius)"
    assert describe.text(smart, "data_units_written") == "2000 × 512000 bytes (976.56 MiB)"
    assert describe.text(smart, "controller_busy_time") == "90 min" and smart.controller_busy_time.seconds == 5400


def test_firmware_slots():
    log = FirmwareLog.new(afi={"ACTIVE": 2, "NEXT": 3}, frs=["1.0", "2.0"])
    assert log.afi == 0x32 and list(log.frs)[:3] == ["1.0", "2.0", ""] and bytes(log)[8:16] == b"1.0     "


def test_changed_namespaces_and_effects():
    assert ChangedNamespaceList.new(nsid=[4, 9]).nsids == [4, 9]
    assert ChangedNamespaceList.new(nsid=[0xFFFFFFFF]).overflow
    log = CommandsSupportedLog.new()
    log.acs[6].effects = {"CSUPP": 1}
    log.iocs[1].effects = {"CSUPP": 1, "LBCC": 1}
    assert list(log.supported(admin=True)) == [6] and log.supported(admin=False)[1].effects.LBCC
    assert log.to_dict() == {"acs": {6: 1}, "iocs": {1: 3}}


def test_features_encode_and_decode():
    queues = features.lookup("number_of_queues")
    assert queues.fid == 7 and queues.encode(NSQR=3, NCQR=7) == 3 | 7 << 16
    granted = queues.decode(1 | 2 << 16)
    assert (granted.NSQA, granted.NCQA) == (1, 2) and granted.NSQA.meaning == "2 queues"
    assert features.lookup(4).decode(0x157).TMPTH == 0x157
    assert features.lookup(1).decode(7).AB.meaning == "No Limit" and features.lookup(1).decode(2).AB.meaning == "4 commands"
    assert features.lookup(0xB).encode(NS_ATTR=1) == 0x100
    with pytest.raises(UsageError, match="0xc8|200"):
        features.lookup(200)
    with pytest.raises(UsageError, match="NSQX"):
        queues.encode(NSQX=1)
    for feature in features.FEATURES.values():
        assert all(0 <= f.lo <= f.hi < 32 for f in (*feature.cdw11, *feature.result)) and feature.title
