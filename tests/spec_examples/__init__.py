"""The worked examples of the specification: found by the linter's parser, and run against reference and oracle."""
