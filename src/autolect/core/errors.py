"""Everything autolect raises on purpose.

AutolectError
├── UserError       what a user can mend: what, where, how; the CLI exits with 2
│   └── DamagedError    a durable thing that does not match its manifest
└── (nothing else)  any other exception is a bug in autolect
"""

from __future__ import annotations


class AutolectError(Exception):
    """Base of every exception that autolect raises on purpose."""


class UserError(AutolectError):
    """Something that the user can mend.

    what: one sentence, the fact.  where: file, line, recipe key or folder.  fix: what to do now.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(str(self))

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}; {self.fix}" if self.fix else head


class DamagedError(UserError):
    """A folder or file that is not what its manifest says: altered, truncated, foreign or missing."""
