"""Labelled text: files of any tool -> examples, split, checked and written again."""
