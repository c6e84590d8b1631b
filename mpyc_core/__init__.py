"""Secret sharing, fixed point, comparison and encrypted training, in Python one can read."""
