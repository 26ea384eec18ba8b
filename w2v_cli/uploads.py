"""What published classes can do and these cannot: upload."""

from __future__ import annotations

from typing import Any, NoReturn


class NotUploaded:
    """A class whose objects are saved into folders, and uploaded from there."""

    def push_to_hub(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise ValueError with what to do in its place."""
        raise ValueError(
            "push_to_hub(): nothing is uploaded from here; save_pretrained(folder), then run "
            "`hf upload owner/name folder`"
        )
