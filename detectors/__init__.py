"""The built-in detectors, one file each. They see an `Inspection` and nothing else of the gateway."""
