"""One frozen context type for each page: a template prints these fields and nothing else."""
