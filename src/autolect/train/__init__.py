"""The loop and what it needs: batches, optimizer, schedule, checkpoints, log."""
