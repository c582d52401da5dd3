"""A pytest plugin: which tests carry the mark `capability`, written to a file as JSON.

CAPABILITY_REPORT=FILE python -m pytest --collect-only -p tests.capability_report
"""

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

REAL = ("engine", "integration")
"""Marks of tests in which a real engine does the work."""


def pytest_collection_finish(session: pytest.Session) -> None:
    proven, unreal = defaultdict(set), set()
    for item in session.items:
        is_real = any(item.get_closest_marker(mark) for mark in REAL)
        for mark in item.iter_markers("capability"):
            if is_real:
                for capability in mark.args:
                    proven[capability].add(item.nodeid)
            else:
                unreal.add(item.nodeid)
    report = {
        "proven": {capability: sorted(tests) for capability, tests in proven.items()},
        "unreal": sorted(unreal),
    }
    Path(os.environ["CAPABILITY_REPORT"]).write_text(json.dumps(report), encoding="utf-8")
