"""Tells people away from the desk: signed webhooks, and by apprise every other service. Knows no case but notices."""
