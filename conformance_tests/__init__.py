"""The conformance suite: drives a port as a process and judges it by the text of the specification.

The suite imports neither the reference nor the callbacks, so a fault that it shares with them cannot hide.
"""
