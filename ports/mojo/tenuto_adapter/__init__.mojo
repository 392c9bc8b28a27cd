"""The conformance adapter: requests in, calls of the library, replies out."""
