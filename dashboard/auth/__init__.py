"""Who is at the desk: passwords, sessions, second factor, and what keeps other pages from acting in their name."""
