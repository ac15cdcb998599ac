"""The rules and the words, in the standard library alone.

Everything else in the house depends on this package and it depends on nothing, so that a lawyer's question
("when may a search begin?") has its answer in files without AWS, SQL or pixels in them.
"""
