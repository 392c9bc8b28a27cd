"""The interface files of the specification, and what follows from them: constants, tables, stubs and checks.

Sources are read, never imported: a check works on any checkout. Nothing here feeds the conformance suite, which judges
ports by the text alone.
"""
