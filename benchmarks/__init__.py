"""What ivy-convert costs: `make bench`, or one of `python -m benchmarks.conversion`, `.command_line`, `.models`."""
