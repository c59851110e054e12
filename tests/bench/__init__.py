"""The measuring programs run and say what they measured."""
