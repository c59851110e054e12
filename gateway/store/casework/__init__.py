"""What people add to cases: appeals, notes, files, runs on demand."""
