"""What contracts had noted, signed or promised before a transaction, and for whom it speaks."""
