"""``python -m autolect`` is the same as ``autolect``."""

from __future__ import annotations

from autolect.cli.main import main

if __name__ == "__main__":
    main()
