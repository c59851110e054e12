"""What the gateway has learnt of contracts and senders: copies of attacks, trust, deployments."""
