"""What a network costs while little happens: chargers that are connected, some of them charging."""
