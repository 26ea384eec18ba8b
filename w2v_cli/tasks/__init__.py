"""What a command does, without anything that prints: `transcribe`."""
