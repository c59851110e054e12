"""What earlier transactions left behind, and how it travels from one gateway to the other."""
