"""The driver: controllers, queue pairs, namespaces, and the perf loop, over whatever carries them."""
