"""What people look at: one page that tells a federation in plain words, and the same page live."""
