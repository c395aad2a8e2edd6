"""What the benchmarks of the whole platform share: a real `serve` in a fresh folder, its senders, their costs."""
