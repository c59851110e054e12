"""Detectors, the subject they see, the policy that decides. Pure: no I/O, no engine."""
