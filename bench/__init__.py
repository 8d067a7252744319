"""Benchmarks: `python -m bench` measures the real thing beside what people would use instead."""
