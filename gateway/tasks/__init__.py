"""What happens later: release, expiry, deferred inspection, second opinion, rebuild."""
