"""What the chain does by itself: heads, reorgs, forced inclusion."""
