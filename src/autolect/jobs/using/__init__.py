"""A bundle -> answers: its network and reader opened, and what a text can be asked."""
