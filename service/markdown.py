"""Tables in Markdown, as the docs have them."""

from collections.abc import Sequence


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[object]], *, words: Sequence[int] = (0,)) -> list[str]:
    """The lines of a table: `words` are the columns that stand left, numbers stand right."""
    bounds = ("---" if place in words else "--:" for place in range(len(head)))
    cells = ([f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows)
    return [f"| {' | '.join(head)} |", f"|{'|'.join(bounds)}|", *(f"| {' | '.join(row)} |" for row in cells)]
