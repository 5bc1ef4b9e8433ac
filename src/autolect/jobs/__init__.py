"""A file or a folder for each arrow of the way from files to a served model."""
