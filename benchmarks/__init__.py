"""Speed measurements that anyone can run: `python -m benchmarks.<name>`, or `make bench` for all of them."""
