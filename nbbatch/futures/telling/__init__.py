"""What a job has said: its frames read again from the store, as text and as outputs."""
