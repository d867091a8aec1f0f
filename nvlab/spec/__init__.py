"""The NVMe standard as tables: registers, commands, structures, log pages, features, statuses.

It imports nothing else of nvlab. Reading order: fields, registers, commands, struct, identify, status.
"""
