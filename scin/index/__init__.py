"""The similarity index: its vectors, its cases, and the vote of the nearest cases."""
