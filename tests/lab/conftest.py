"""The widgets need the lab extra; without it there is nothing here to test."""
import importlib.util

if importlib.util.find_spec("anywidget") is None or importlib.util.find_spec("bokeh") is None:
    collect_ignore_glob = ["test_*.py"]
