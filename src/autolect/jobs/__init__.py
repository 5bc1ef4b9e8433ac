"""One file for each arrow of the way from files to a served model."""
