"""What goes on: the one thread that watches all jobs, and what it puts together about each."""
