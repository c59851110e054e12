"""What all replicas share in Redis: the live queue, the order of forwarding, memory, spending, signs of life."""
