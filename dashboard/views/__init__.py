"""The pages. A view reads the stores, fills its page's context and prints; it holds no rule of its own."""
