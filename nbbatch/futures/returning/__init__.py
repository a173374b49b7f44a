"""What a job came to: how it ended, and the values or the error that it left."""
