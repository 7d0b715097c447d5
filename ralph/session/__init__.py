"""What is kept and what is shown to the model: transcripts and the Request."""
