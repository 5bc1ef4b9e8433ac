"""From files to token ids: reading, cleaning, splitting, tokenizing."""
