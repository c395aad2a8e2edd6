"""The YKC (云快充) charger protocol, V1.5 and V1.6."""
