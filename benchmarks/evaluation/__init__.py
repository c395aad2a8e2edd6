"""Charges with a known truth, told by chargers that err, and how close the platform's bills come to that truth."""
