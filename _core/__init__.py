"""What runs without the GIL: DMA memory, MMIO, rings, the perf loop, the drive's data path.

Few files, each a topic. Policy stays in Python; what is here is here because it is hot, or because it must be
volatile, ordered or bounds-checked in one place.
"""
