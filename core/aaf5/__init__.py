"""The AAF5 charger protocol family V2.6..V3.4: splitting, decoding, encoding."""
