"""What the stores on a database server share: everything but the server's own language."""
