"""The page of one session: what was said, what was measured, what is billed, and why."""
