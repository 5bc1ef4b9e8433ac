"""The HTTP server around one model, and its page."""
