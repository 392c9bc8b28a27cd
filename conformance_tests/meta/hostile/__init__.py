"""Adapters that misbehave, each in one way; started as `python -m tenuto.conformance_tests.meta.hostile NAME`.

They speak the protocol by themselves and import none of the code that judges them.
"""
