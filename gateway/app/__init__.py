"""The composition root: settings in, a running gateway out. The only room where all others meet."""
