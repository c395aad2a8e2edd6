"""One charger sends as fast as it can: what do the others wait for their accepts and acknowledgements?"""
