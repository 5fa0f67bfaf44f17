"""What is in stored market data, and can it be trusted: every broken row, every gap, everything odd, series against series."""
