"""`brew plan`: what a scale needs, what of it is here, and what running it would cost, before anything runs."""
