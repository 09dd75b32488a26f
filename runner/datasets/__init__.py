"""Datasets: what files they are, which format their rows have, and what is wrong with them.

source.py    the files of a dataset: one file, shards, a Hugging Face folder
reading.py   rows, all of them or an evenly spread sample, in bounded memory
kinds.py     what a value is, and what a column holds
formats.py   the formats that each stage of training accepts, as a table
problems.py  what is wrong with a row
layout.py    a row as trainers read it, whatever format it came in
card.py      what is kept beside the data
check.py     all of it, over the datasets of a spec
"""
