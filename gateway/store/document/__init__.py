"""Cases as versioned, compressed JSON, and back."""
