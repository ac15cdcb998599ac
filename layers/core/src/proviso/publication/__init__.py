"""What is published, as pages and tables: pure functions from a record to HTML and CSV. report serves them, and the
command line writes the same into a folder. A page stands alone: its style is in it, nothing is fetched, nothing
runs."""
