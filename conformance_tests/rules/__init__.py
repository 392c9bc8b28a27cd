"""The rules of the specification linter, by what they look at; `spec_lint` has the list of them."""
