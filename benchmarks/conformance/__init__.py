"""The tables against torch's own test database: every operation of `op_db`, as text, converted, run and compared."""
