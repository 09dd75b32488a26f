"""The program that checks rewards; it is copied into a bundle and runs without this package.

Standard library alone, Python 3.9 and later: where it runs, nothing else is installed.
"""
