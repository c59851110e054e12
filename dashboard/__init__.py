"""The analyst's desk: reads what was recorded, writes decisions. It never simulates and never speaks to a sequencer."""
