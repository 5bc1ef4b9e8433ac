"""How vectors are learned, one file each."""
