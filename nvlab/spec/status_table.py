"""Every status code of NVMe 2.0 and its command sets, as rows: (code, title, hint), under type, name prefix and citation.

A hint is there where a person can do something about it. Titles are the standard's; the names of constants and of
exceptions come from them (see status.py).
"""

GENERIC, COMMAND_SPECIFIC, MEDIA, PATH, VENDOR = 0, 1, 2, 3, 7

_SGL = "nvlab's own commands use PRPs; look at the SGL descriptor that was passed."
_RETRY = "Nothing is wrong with the command: send it again."

_GENERIC = (
    (0x00, "Successful Completion", ""),
    (0x01, "Invalid Command Opcode", "The controller doesn't know this opcode; Identify Controller (OACS, ONCS) and log page 05h "
                                     "say which it has."),
    (0x02, "Invalid Field in Command", "A field has a value that the controller doesn't support, or a reserved bit is set; the Error "
                                       "Information log (01h) may name the byte and the bit."),
    (0x03, "Command ID Conflict", "This cid is in use by a command of the same queue that has not completed."),
    (0x04, "Data Transfer Error", "The controller could not reach the data or metadata: is each PRP an IOVA of a mapped DmaBuffer?"),
    (0x05, "Commands Aborted due to Power Loss Notification", "The controller lost power; reset it and send the command again."),
    (0x06, "Internal Error", "The controller failed inside; see the Error Information log (01h), then reset it."),
    (0x07, "Command Abort Requested", "An Abort command named this one."),
    (0x08, "Command Aborted due to SQ Deletion", "The queue was deleted while the command was in it."),
    (0x09, "Command Aborted due to Failed Fused Command", "The other half of the fused pair failed; its completion says why."),
    (0x0A, "Command Aborted due to Missing Fused Command", "The two halves of a fused pair must be next to each other in one queue."),
    (0x0B, "Invalid Namespace or Format", "There is no active namespace with this NSID, or it has another format; ctrl.namespaces lists "
                                          "those that there are."),
    (0x0C, "Command Sequence Error", "The command came out of order: another one has to come first."),
    (0x0D, "Invalid SGL Segment Descriptor", _SGL),
    (0x0E, "Invalid Number of SGL Descriptors", _SGL),
    (0x0F, "Data SGL Length Invalid", _SGL),
    (0x10, "Metadata SGL Length Invalid", _SGL),
    (0x11, "SGL Descriptor Type Invalid", _SGL),
    (0x12, "Invalid Use of Controller Memory Buffer", "CMBLOC and CMBSZ say what may lie in the controller's memory."),
    (0x13, "PRP Offset Invalid", "PRP1 must be a multiple of 4; PRP2 and list entries must lie at the start of a memory page (CC.MPS)."),
    (0x14, "Atomic Write Unit Exceeded", "Write at most AWUN + 1 blocks at once (Identify Controller), or NAWUN + 1 of the namespace."),
    (0x15, "Operation Denied", "The host lacks the right to do this."),
    (0x16, "SGL Offset Invalid", _SGL),
    (0x18, "Host Identifier Inconsistent Format", "All controllers of a subsystem need Host Identifiers of one size (feature 81h)."),
    (0x19, "Keep Alive Timer Expired", "Send Keep Alive more often than feature 0Fh demands, then connect again."),
    (0x1A, "Keep Alive Timeout Invalid", "Choose a time that the controller supports (Identify Controller, KAS)."),
    (0x1B, "Command Aborted due to Preempt and Abort", "Another host took the reservation."),
    (0x1C, "Sanitize Failed", "Start another sanitize, or exit failure mode (Sanitize, SANACT 1)."),
    (0x1D, "Sanitize In Progress", "Wait: the Sanitize Status log (81h) shows how far it is."),
    (0x1E, "SGL Data Block Granularity Invalid", _SGL),
    (0x1F, "Command Not Supported for Queue in CMB", "Put the queue into host memory."),
    (0x20, "Namespace is Write Protected", "Feature 84h (Namespace Write Protection Config) changes it, unless it is permanent."),
    (0x21, "Command Interrupted", _RETRY),
    (0x22, "Transient Transport Error", _RETRY),
    (0x23, "Command Prohibited by Command and Feature Lockdown", "A Lockdown command forbade it; the lockdown log (14h) lists what is."),
    (0x24, "Admin Command Media Not Ready", "Wait until the media is ready (CRTO.CRWMT is the longest it takes)."),
    (0x25, "Invalid Key Tag", ""),
    (0x26, "Host Dispersed Namespace Support Not Enabled", "Enable it in Host Behavior Support (feature 16h)."),
    (0x27, "Host Identifier Not Initialized", "Set a Host Identifier first (feature 81h)."),
    (0x28, "Incorrect Key", ""),
    (0x29, "FDP Disabled", "Enable Flexible Data Placement in the endurance group (feature 1Dh)."),
    (0x2A, "Invalid Placement Handle List", ""),
)

_GENERIC_IO = (
    (0x80, "LBA Out of Range", "The last block touched must be below the namespace's size, Identify Namespace NSZE."),
    (0x81, "Capacity Exceeded", "The namespace holds as much as it may (NCAP); deallocate blocks first."),
    (0x82, "Namespace Not Ready", "Wait and send it again, unless Do Not Retry is set."),
    (0x83, "Reservation Conflict", "Another host holds a reservation; Reservation Report shows who."),
    (0x84, "Format In Progress", "Wait until Format NVM has completed; Identify Namespace FPI shows how far it is."),
)

_GENERIC_KV = (
    (0x85, "Invalid Value Size", ""),
    (0x86, "Invalid Key Size", ""),
    (0x87, "KV Key Does Not Exist", ""),
    (0x88, "Unrecovered Error", ""),
    (0x89, "Key Exists", ""),
)

_SPECIFIC = (
    (0x00, "Completion Queue Invalid", "CQID must name an I/O completion queue that exists: create it first."),
    (0x01, "Invalid Queue Identifier", "The qid is 0, is in use already, doesn't exist, or is above what Number of Queues (feature 07h) granted."),
    (0x02, "Invalid Queue Size", "QSIZE is zero-based; it must be at least 1 and at most CAP.MQES."),
    (0x03, "Abort Command Limit Exceeded", "At most ACL + 1 Abort commands may be open at once (Identify Controller)."),
    (0x04, "Abort Command is Missing", ""),
    (0x05, "Asynchronous Event Request Limit Exceeded", "At most AERL + 1 of them may be open at once (Identify Controller)."),
    (0x06, "Invalid Firmware Slot", "Identify Controller FRMW says how many slots there are, and whether slot 1 is read only."),
    (0x07, "Invalid Firmware Image", "The image is damaged, incomplete or meant for another drive: download it again."),
    (0x08, "Invalid Interrupt Vector", "The controller has fewer vectors; with MSI-X, its table has the number."),
    (0x09, "Invalid Log Page", "This controller has no such log page; log page 00h lists those it has."),
    (0x0A, "Invalid Format", "Choose an LBA format that Identify Namespace lists (NLBAF), and settings that it supports."),
    (0x0B, "Firmware Activation Requires Conventional Reset", "The commit worked; reset the PCI function to start the new firmware."),
    (0x0C, "Invalid Queue Deletion", "Delete the submission queues that use this completion queue first."),
    (0x0D, "Feature Identifier Not Saveable", "Send it without SV; Get Features with SEL 3 says what can be saved."),
    (0x0E, "Feature Not Changeable", "Get Features with SEL 3 says what can be changed."),
    (0x0F, "Feature Not Namespace Specific", "Send it with nsid 0 or FFFFFFFFh."),
    (0x10, "Firmware Activation Requires NVM Subsystem Reset", "The commit worked; write 4E564D65h to NSSR to start the new firmware."),
    (0x11, "Firmware Activation Requires Controller Level Reset", "The commit worked; disable and enable the controller to start the "
                                                                  "new firmware."),
    (0x12, "Firmware Activation Requires Maximum Time Violation", "Activate at a reset (CA 1) instead of at once."),
    (0x13, "Firmware Activation Prohibited", "The controller refuses this image: perhaps it is older than the one that runs."),
    (0x14, "Overlapping Range", "Download each piece of the image once, in order."),
    (0x15, "Namespace Insufficient Capacity", "Ask for less, or delete a namespace; Identify Controller UNVMCAP says what is left."),
    (0x16, "Namespace Identifier Unavailable", "The controller has as many namespaces as it may (NN); delete one."),
    (0x18, "Namespace Already Attached", "Nothing to do: it is attached."),
    (0x19, "Namespace Is Private", "Detach it from the controller that has it, or create it as shared (NMIC)."),
    (0x1A, "Namespace Not Attached", "Nothing to detach."),
    (0x1B, "Thin Provisioning Not Supported", "Create it with NCAP equal to NSZE."),
    (0x1C, "Controller List Invalid", "Identify CNS 13h lists the controllers that there are."),
    (0x1D, "Device Self-test In Progress", "Wait, or abort it (STC Fh)."),
    (0x1E, "Boot Partition Write Prohibited", "Unlock the boot partition first."),
    (0x1F, "Invalid Controller Identifier", "Identify CNS 13h lists the controllers that there are."),
    (0x20, "Invalid Secondary Controller State", "Take the secondary controller offline first."),
    (0x21, "Invalid Number of Controller Resources", ""),
    (0x22, "Invalid Resource Identifier", ""),
    (0x23, "Sanitize Prohibited While Persistent Memory Region is Enabled", "Clear PMRCTL.EN first."),
    (0x24, "ANA Group Identifier Invalid", ""),
    (0x25, "ANA Attach Failed", ""),
    (0x26, "Insufficient Capacity", "Ask for less, or free some."),
    (0x27, "Namespace Attachment Limit Exceeded", "Detach a namespace first (MAXCNA, MAXDNA)."),
    (0x28, "Prohibition of Command Execution Not Supported", ""),
    (0x29, "I/O Command Set Not Supported", "Identify CNS 1Ch lists the command sets that there are."),
    (0x2A, "I/O Command Set Not Enabled", "Enable the controller with CC.CSS 6, and a combination with it (feature 19h)."),
    (0x2B, "I/O Command Set Combination Rejected", "Identify CNS 1Ch lists the combinations that there are."),
    (0x2C, "Invalid I/O Command Set", "CSI names a command set that this command doesn't go with."),
    (0x2D, "Identifier Unavailable", ""),
)

_SPECIFIC_LATER = (
    (0x2E, "Namespace Is Dispersed", ""),
    (0x2F, "Invalid Discovery Information", ""),
    (0x30, "Zoning Data Structure Locked", ""),
    (0x31, "Zoning Data Structure Not Found", ""),
    (0x32, "Insufficient Discovery Resources", ""),
    (0x33, "Requested Function Disabled", ""),
    (0x34, "ZoneGroup Originator Invalid", ""),
    (0x35, "Invalid Host", ""),
    (0x36, "Invalid NVM Subsystem", ""),
    (0x37, "Invalid Controller Data Queue", ""),
    (0x38, "Not Enough Resources", ""),
    (0x39, "Controller Suspended", ""),
    (0x3A, "Controller Not Suspended", ""),
    (0x3B, "Controller Data Queue Full", ""),
)

_SPECIFIC_NVM = (
    (0x80, "Conflicting Attributes", "The attributes of the Dataset Management ranges contradict each other."),
    (0x81, "Invalid Protection Information", "PRINFO doesn't go with how the namespace is formatted (Identify Namespace DPS)."),
    (0x82, "Attempted Write to Read Only Range", "The namespace, or this part of it, is read only."),
    (0x83, "Command Size Limit Exceeded", "Use fewer ranges or blocks: MSSRL, MCL, MSRC (Copy), DMRL, DMSL (Dataset Management)."),
    (0x85, "Incompatible Namespace or Format", "Source and destination need the same LBA format."),
    (0x86, "Fast Copy Not Possible", "Copy without Fast Copy Only."),
    (0x87, "Overlapping I/O Range", "Source and destination must not overlap."),
    (0x88, "Namespace Not Reachable", ""),
    (0x89, "Insufficient Resources", "Copy less at once."),
    (0x8A, "Insufficient Program Resources", ""),
    (0x8B, "Invalid Memory Namespace", ""),
    (0x8C, "Invalid Memory Range Set", ""),
)

_SPECIFIC_ZONES = (
    (0xB6, "Invalid Zone Operation Request", ""),
    (0xB7, "ZRWA Resources Unavailable", ""),
    (0xB8, "Zone Boundary Error", "One command stays within one zone."),
    (0xB9, "Zone Is Full", "Reset the zone, or write to another."),
    (0xBA, "Zone Is Read Only", "Write to another zone."),
    (0xBB, "Zone Is Offline", "Use another zone."),
    (0xBC, "Zone Invalid Write", "Write at the zone's write pointer (Zone Management Receive reports it), or use Zone Append."),
    (0xBD, "Too Many Active Zones", "Finish or reset a zone first (MAR)."),
    (0xBE, "Too Many Open Zones", "Close a zone first (MOR)."),
    (0xBF, "Invalid Zone State Transition", "The zone's state doesn't allow this action."),
)

_SPECIFIC_FABRICS = (
    (0x80, "Connect Incompatible Format", "The target doesn't support this RECFMT."),
    (0x81, "Connect Controller Busy", "Another host has this controller; connect with CNTLID FFFFh to get a free one."),
    (0x82, "Connect Invalid Parameters", "Queue size, queue ID or controller ID are wrong, or the subsystem's name (NQN) is."),
    (0x83, "Connect Restart Discovery", "The subsystem has moved: ask the discovery controller again."),
    (0x84, "Connect Invalid Host", "The target must allow this host's NQN."),
    (0x85, "Invalid Queue Type", "Send it on the other kind of queue: admin or I/O."),
    (0x90, "Discover Restart", "The log changed while it was read: read it again."),
    (0x91, "Authentication Required", "Authenticate the queue first."),
)

_MEDIA = (
    (0x80, "Write Fault", "The data could not be written to the media."),
    (0x81, "Unrecovered Read Error", "The data on the media is lost (or was marked so by Write Uncorrectable); writing the blocks mends them."),
    (0x82, "End-to-end Guard Check Error", "Data and CRC don't agree."),
    (0x83, "End-to-end Application Tag Check Error", "ELBAT or its mask differs from what was written."),
    (0x84, "End-to-end Reference Tag Check Error", "EILBRT differs from what was written; for type 1 it is the low half of the LBA."),
    (0x85, "Compare Failure", "The blocks on the drive differ from the buffer."),
    (0x86, "Access Denied", "The blocks are locked; unlock them with Security Send."),
    (0x87, "Deallocated or Unwritten Logical Block", "Write the block first, or clear DULBE (feature 05h)."),
    (0x88, "End-to-End Storage Tag Check Error", "The storage tag differs from what was written."),
)

_PATH = (
    (0x00, "Internal Path Error", "Try another path to the namespace."),
    (0x01, "Asymmetric Access Persistent Loss", "This path will not come back: use another controller."),
    (0x02, "Asymmetric Access Inaccessible", "Use another controller, or wait for an ANA change event."),
    (0x03, "Asymmetric Access Transition", "Wait up to ANATT seconds (Identify Controller), then send it again."),
    (0x60, "Controller Pathing Error", _RETRY),
    (0x70, "Host Pathing Error", _RETRY),
    (0x71, "Command Aborted By Host", "The host gave the command up."),
)

GROUPS = (
    (GENERIC, "base", "base 2.0c 3.3.3.2.1", _GENERIC),
    (GENERIC, "nvm", "base 2.0c 3.3.3.2.1", _GENERIC_IO),
    (GENERIC, "kv", "base 2.0c 3.3.3.2.1", _GENERIC_KV),
    (COMMAND_SPECIFIC, "base", "base 2.0c 3.3.3.2.1", _SPECIFIC),
    (COMMAND_SPECIFIC, "base", "base 2.1 4.2.3.2", _SPECIFIC_LATER),
    (COMMAND_SPECIFIC, "nvm", "NVM command set 1.0c 3.1.2", _SPECIFIC_NVM),
    (COMMAND_SPECIFIC, "zns", "ZNS 1.1c 3.1.2", _SPECIFIC_ZONES),
    (COMMAND_SPECIFIC, "fabrics", "base 2.0c 3.3.3.2.1", _SPECIFIC_FABRICS),
    (MEDIA, "base", "base 2.0c 3.3.3.2.1", _MEDIA),
    (PATH, "base", "base 2.0c 3.3.3.2.1", _PATH),
)
"""(status code type, command set, citation, rows)."""
