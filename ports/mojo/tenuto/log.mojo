"""Lines for people, on stderr."""
from std.sys import stderr


def log(message: StringSpan):
    """Say something. Spec: STORE-RUN-005."""
    print("tenuto:", message, file=stderr)
