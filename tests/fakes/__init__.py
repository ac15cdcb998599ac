"""In-memory parts for unit tests. The contract tests run them and the real parts through the same cases."""
