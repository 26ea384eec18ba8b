"""What published classes can do and these cannot: upload."""

from __future__ import annotations

from typing import Any


class NotUploaded:
    """A class whose objects are saved into folders, and uploaded from there."""

    def push_to_hub(self, *args: Any, **kwargs: Any) -> None:
        """Raise ValueError with what to do in its place."""
        refuse_upload(True)


def refuse_upload(push_to_hub: bool) -> None:
    """Raise ValueError if an upload is asked for: this package only reads from the Hub."""
    if push_to_hub:
        raise ValueError(
            "push_to_hub: nothing is uploaded from here; save to a folder and run "
            "`hf upload owner/name folder`"
        )
