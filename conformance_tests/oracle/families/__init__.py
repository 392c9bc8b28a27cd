"""The vectors, one module for each family; every module has a function `vectors`."""
