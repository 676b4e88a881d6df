"""Exchange: the register and its results in formats that other programs read, and back.

What leaves the house is redacted as pages are; nothing is served, and no platform is called. No numbers of our own.
"""
