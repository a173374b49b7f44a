"""What a job uses: processes, control groups, GPUs."""
