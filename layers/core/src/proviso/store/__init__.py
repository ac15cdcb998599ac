"""The PostgreSQL wing: hand-written SQL, one module a table family, and the migrations."""
