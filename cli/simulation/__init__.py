"""A clinic's life on a simulated clock: drawn patients, the real steps, a carrier in memory.

people, courses -> agenda -> worker.steps -> carrier -> phones -> agenda ... -> audit, report
"""
