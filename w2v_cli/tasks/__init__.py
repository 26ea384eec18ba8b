"""What commands do, without anything that prints: transcribe, align, classify, diarize, embed."""
