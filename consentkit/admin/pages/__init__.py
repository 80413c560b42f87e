"""The pages of the admin area, a module each: its routes, what it reads, and what its template is given."""
