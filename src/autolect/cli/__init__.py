"""The command line. Importing it imports neither torch nor numpy, so `--help` is there at once."""
