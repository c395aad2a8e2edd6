"""Runs the benchmarks as processes, keeps what each printed, and renders `benchmarks/RESULTS.md` from it."""
