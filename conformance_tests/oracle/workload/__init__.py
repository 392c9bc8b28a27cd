"""The reference workload as an executable reading of its text, in plain Python: a whole training and its document.

One function for one clause, named after it; nothing is computed in another order than the listings of the text. A
`float` of Python is a binary64, and the interpreter rounds every operation on its own.

Spec: RW-NUM-001, RW-NUM-002.
"""
