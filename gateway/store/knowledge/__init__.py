"""What the gateway has learnt, kept for all replicas: signatures, trust, deployments, rules in force."""
