"""The controller's namespaces, by nsid."""
import pytest

import nvlab


def test_an_nsid_that_is_not_there_says_which_are():
    with nvlab.attach("embedded:namespaces=2,size=1M") as ctrl:
        with pytest.raises(nvlab.UsageError, match="no namespace 3: it has 1, 2"):
            ctrl.namespaces[3]
        with pytest.raises(KeyError):
            ctrl.namespaces[0]
        assert ctrl.namespaces.get(3) is None and sorted(ctrl.namespaces) == [1, 2]


def test_before_they_are_identified_the_error_says_what_to_do():
    with nvlab.probe("embedded") as ctrl, pytest.raises(nvlab.UsageError, match="identify_namespaces"):
        ctrl.namespaces[1]
