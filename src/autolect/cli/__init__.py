"""The command line. Importing it imports neither torch nor numpy nor pydantic."""
