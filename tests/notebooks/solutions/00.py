def capacity(ctrl):
    return sum(ns.size for ns in ctrl.namespaces.values())
