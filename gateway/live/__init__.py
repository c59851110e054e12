"""The state a transaction will meet: the head's, with everything forwarded and not yet mined on top.

Stands below the pipeline and above engines, upstream and store. It knows nothing of verdicts, cases and HTTP.
"""
