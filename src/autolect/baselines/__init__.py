"""Simple tools that a user would take instead; every evaluation fits them on the same split."""
