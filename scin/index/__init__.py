"""The similarity index: its vectors, the cases behind them, and the vote of the nearest."""
