import pytest

pytest.importorskip("anywidget", reason="the widgets need the lab extra: pip install 'nvlab[lab]'")
