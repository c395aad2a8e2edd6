"""Every Python process whose PYTHONPATH names this folder puts its fault points in place before it begins."""

import os

if os.environ.get("FAULT_POINTS"):
    from tests.faults.fault_points import install

    install()
