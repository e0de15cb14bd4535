"""The tasks that ship with Treaty. Copy one to start your own."""
