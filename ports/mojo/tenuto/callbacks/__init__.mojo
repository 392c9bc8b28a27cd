"""The callbacks that come with the port."""
