"""What is read straight off the trace of one transaction: facts, movements, stocks, swaps, re-entries."""
