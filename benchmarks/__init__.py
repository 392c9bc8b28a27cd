"""What `make bench` measures. Not a part of the package."""
