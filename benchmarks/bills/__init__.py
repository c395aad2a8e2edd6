"""From stored facts to final bills and codes: `Biller.settle` beside the least that ClickHouse must do for it."""
