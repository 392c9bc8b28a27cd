"""The oracle: bytes and expectations made from the text of the specification alone.

It encodes and never decodes, it shares no code with any port, and it uses no msgpack library.
"""
