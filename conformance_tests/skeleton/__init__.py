"""What `tenuto conformance new-port` puts into the folder of a new port in Python."""
