"""What may be sent without asking: a drive of this process or QEMU's is made to be broken, any other holds somebody's data."""

from nvlab.spec.errors import UsageError

PLAYTHINGS = frozenset({"embedded", "qemu"})
"""Kinds of addresses whose drives begin empty and end with the session."""

DESTRUCTIVE = frozenset({
    ("admin", "format_nvm"), ("admin", "sanitize"), ("admin", "namespace_management"), ("admin", "namespace_attachment"),
    ("admin", "firmware_commit"), ("admin", "firmware_image_download"), ("admin", "security_send"), ("admin", "lockdown"),
    ("admin", "capacity_management"), ("admin", "virtualization_management"), ("admin", "nvme_mi_send"), ("admin", "set_features"),
    ("nvm", "write"), ("nvm", "write_zeroes"), ("nvm", "write_uncorrectable"), ("nvm", "dataset_management"), ("nvm", "copy"),
    ("nvm", "zone_append"), ("nvm", "zone_management_send"), ("nvm", "reservation_register"), ("nvm", "reservation_acquire"),
    ("nvm", "reservation_release")})
"""(kind, builder) of the commands that change what a drive holds, or how it behaves after the session."""


def guarded(ctrl):
    """Whether destructive commands to this controller must be confirmed: true unless it is known to be a plaything."""
    return getattr(getattr(ctrl, "function", None), "kind", None) not in PLAYTHINGS


def destructive(command):
    """Whether a Command is of those that change what a drive holds; those that nobody knows are taken to be."""
    known = command.format
    return known is None or ("admin" if known.admin else "nvm", known.builder) in DESTRUCTIVE


def check(ctrl, dangerous, confirmed, what):
    """Raise UsageError where something dangerous would go to somebody's drive unconfirmed."""
    if dangerous and not confirmed and guarded(ctrl):
        raise UsageError(f"{what} changes what {ctrl.address} holds, and that drive isn't made for this session: "
                         "tick the box that confirms it, or pass confirmed=True; nothing was sent")
