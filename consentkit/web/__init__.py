"""What pages of any room are made with: words, templates, static files, and the reading of forms."""
