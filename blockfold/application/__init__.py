"""Use cases, one verb a file, on the ports alone."""
